# perl syslog.pl FILE: keeps what is said to syslog in a file, a line each, until it is ended.
use strict;
use warnings;
use Socket;

my ($file) = @ARGV;
unlink '/dev/log';
socket my $log, AF_UNIX, SOCK_DGRAM, 0 or die "socket: $!";
bind $log, sockaddr_un('/dev/log') or die "/dev/log: $!";
chmod 0666, '/dev/log';
open my $kept, '>', $file or die "$file: $!";
$kept->autoflush(1);
print $kept "$_\n" while defined recv $log, $_, 8192, 0;
