# docker.pl SOCKET: answers like Docker without any container. Prints "ready" when it listens.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;

my %answers = (
    '/version' => '{"Version":"28.0.0","ApiVersion":"1.48","Components":[{"Name":"Engine","Version":"28.0.0"}]}',
    '/info' => '{"SecurityOptions":["name=apparmor","name=seccomp,profile=builtin"],"ServerVersion":"28.0.0","Containers":0}',
    '/containers/json' => '[]',
);
my $listener = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die "Cannot listen on \"$ARGV[0]\": $!\n";
$| = 1;
print "ready\n";
while (my $client = $listener->accept) {
    if (IO::Select->new($client)->can_read(2)) {
        sysread $client, my $request, 65536;
        my ($path) = ($request // '') =~ m{^GET (?:/v[0-9.]+)?(/[^ ?]*)};
        my $body = $answers{$path // ''};
        my $status = defined $body ? '200 OK' : '404 Not Found';
        $body //= '{"message":"page not found"}';
        my $length = length $body;
        print $client "HTTP/1.1 $status\r\nContent-Type: application/json\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$body";
    }
    close $client;
}
