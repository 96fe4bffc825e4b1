# service.pl ADDRESS:PORT[=STATUS]…: listens on TCP like a service; with a STATUS it answers each request with it.
# Prints "ready" when it listens, and stays until it is ended.
use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;

my (%status, @sockets);
for my $word (@ARGV) {
    my ($address, $port, $status) = $word =~ /^\[?([0-9a-f.:]+?)\]?:(\d+)(?:=(\d+))?$/ or die "Cannot read \"$word\"\n";
    my $socket = IO::Socket::IP->new(
        LocalHost => $address, LocalPort => $port, Listen => 5, ReuseAddr => 1, V6Only => $address =~ /:/ ? 0 : undef,
    ) or die "Cannot listen on \"$word\": $@\n";
    $status{fileno $socket} = $status;
    push @sockets, $socket;
}
$| = 1;
print "ready\n";
my $select = IO::Select->new(@sockets);
while (1) {
    for my $socket ($select->can_read) {
        my $client = $socket->accept or next;
        my $status = $status{fileno $socket};
        if ($status && IO::Select->new($client)->can_read(2)) {
            sysread $client, my $request, 65536;
            print $client "HTTP/1.1 $status Answer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        }
        close $client;
    }
}
