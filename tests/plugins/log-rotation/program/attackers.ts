// What a local user does while logs are rotated, in the language that every Debian has and any user can run: the
// checkout and its runtime may be root's own. Each counts, says "ready", and says its count when it is ended.

const COUNTING =
  'my $n = 0; $SIG{TERM} = sub { syswrite STDOUT, "$n\\n"; exit 0 }; syswrite STDOUT, "ready\\n";'

/** May write to the directory above the logs: takes theirs away, puts a link in its place and takes it back. */
export const EXCHANGER = `${COUNTING}
  my ($directory, $target) = @ARGV;
  while (1) {
    rename $directory, "$directory.aside"; symlink $target, $directory;
    unlink $directory; rename "$directory.aside", $directory; $n++;
  }`

/** Owns the directory of the logs: links take every place that is free, and every place that comes next. */
export const PLANTER = `${COUNTING}
  my ($log, $target) = @ARGV;
  my ($directory, $name) = $log =~ m{^(.*)/(.*)$};
  for (my $round = 0; ; $round++) {
    for my $place ($log, "$log.1", "$log.1.gz", "$directory/.$name.1.gz.reeve-tmp", "$log.tmp") {
      symlink($target, $place) and $n++;
    }
    link($log, "$log.2.gz") and $n++;
    if ($round % 20 == 0) { unlink $log; link "$log.kept", $log; }
  }`
