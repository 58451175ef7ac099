#!/usr/bin/perl
# Packs signatures as `sigtool --build --unsigned` does: a header of 512 bytes, then a bare tar in
# gzip. Sources: libclamav/cvd.c, sigtool/sigtool.c of ClamAV.
#
#     perl pack.pl HEADER LISTING OUT
#
# A line `== name` of LISTING begins a file, which has the lines up to the next one.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use IO::Compress::Gzip qw(gzip $GzipError);

my ($header, $listing, $out) = @ARGV;

sub content {
    my ($path) = @_;
    open(my $file, '<:raw', $path) or die "$path: $!\n";
    local $/;
    return scalar <$file>;
}

sub member {
    my ($path, $data) = @_;
    my $head = pack('a100 x24 a12 x12 a8', $path, sprintf('%o', length $data), ' ' x 8);
    substr($head, 148, 8) = pack('a8', sprintf('%06o', unpack('%32C*', $head)));
    return pack('a512', $head) . $data . "\0" x (-length($data) % 512);
}

my (undef, @files) = split(/^== (\S+)\n/m, content($listing));
my ($info, $members) = ("ClamAV-VDB:$header\n", '');
while (my ($path, $data) = splice(@files, 0, 2)) {
    $info .= join(':', $path, length $data, sha256_hex($data)) . "\n";
    $members .= member($path, $data);
}
my $copying = content(dirname($listing) . '/COPYING');
my $tar = member('COPYING', $copying) . member('test.info', $info) . $members;
gzip(\$tar => \my $body, -Level => 9, Minimal => 1) or die "gzip: $GzipError\n";
open(my $file, '>:raw', $out) or die "$out: $!\n";
print {$file} pack('A512', "ClamAV-VDB:$header"), $body;
close($file) or die "$out: $!\n";
