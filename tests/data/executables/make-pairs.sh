#!/usr/bin/env bash
# Makes pairs.tar.xz: executables that differ for known reasons, as NAME/shipped and NAME/rebuilt.
# In an empty folder, with GCC 12, GCC 14, GCC 14 of MinGW-w64 and Go:
#
#   GCC=gcc-12 GCC14=gcc-14 MINGW=x86_64-w64-mingw32-gcc make-pairs.sh
set -eu
export LC_ALL=C SOURCE_DATE_EPOCH=1764280000
out=$PWD/pairs; rm -rf "$out" build; mkdir -p "$out" build/vendor build/rebuild
GCC=${GCC:-gcc-12}; GCC14=${GCC14:-gcc-14}; MINGW=${MINGW:-x86_64-w64-mingw32-gcc}
flags="-O2 -w"
cat > build/a.c <<'C'
#include <stdio.h>
#include <string.h>
int counter = 7; static int calls; extern int table[]; int scale(int); const char *name_of(int);
#ifdef ADDED
int added(int x) { for (int i = 0; i < x; i++) calls += i * x; return calls; }
#endif
#ifndef STEP
#define STEP 3
#endif
#ifndef GREETING
#define GREETING "hello, world of rebuilds"
#endif
int work(int n) { int s = STEP; for (int i = 0; i < n; i++) { s += table[i & 7] * scale(i);
#ifdef LONGER
 if (s > 1000) s = scale(s) ^ strlen(name_of(s));
#endif
 calls++; } return s; }
int greet(int n) { printf("%s %d %s\n", GREETING, n, name_of(n)); return puts("done with greeting"); }
int total(void) { return calls + counter; }
C
cat > build/b.c <<'C'
#include <stdlib.h>
#include <string.h>
static const char *names[] = {"zero", "one", "two", "three", "four", "five"};
int table[8] = {1, 2, 3, 5, 8, 13, 21, 34};
extern int counter;
int scale(int x) { counter += x; switch (x % 7) { case 0: return x * 3; case 1: return x + 11; case 2: return -x;
 case 3: return x ^ 99; case 4: return table[x & 7]; case 5: return abs(x) * 5; default: return 1; } }
const char *name_of(int x) { return names[(unsigned)x % 6]; }
int longest(void) { int m = 0; for (int i = 0; i < 6; i++) { int l = strlen(names[i]); if (l > m) m = l; } return m; }
C
cat > build/main.c <<'C'
#include <stdio.h>
#ifndef BUILT
#define BUILT __DATE__ " " __TIME__
#endif
#ifndef VERSION
#define VERSION "release 1.4.2 of the tool"
#endif
int work(int); int greet(int); int total(void); int longest(void);
int (*const steps[])(int) = {work, greet};
int main(int argc, char **argv) { printf("built %s from %s, %s\n", BUILT, __FILE__, VERSION);
 for (int i = 0; i < argc; i++) steps[i & 1](i); return total() + longest(); }
C
cp build/*.c build/vendor; cp build/*.c build/rebuild
# build OUT DIR "flags" "link flags" [objects]
build() { local to=$1 dir=$2 cf=$3 lf=$4 order=${5:-"main.o a.o b.o"}; (cd "build/$dir"; rm -f ./*.o
  for f in a b main; do ${CC:-$GCC} $flags $cf -c $f.c -o $f.o; done
  ${CC:-$GCC} $flags $cf -o "$to" $order $lf); }
pair() { mkdir -p "$out/$1"; }
s() { echo "$out/$1/shipped"; }; r() { echo "$out/$1/rebuilt"; }
two() { # NAME "flags" "link" "flags" "link" [order] [order]
  pair "$1"; build "$(s "$1")" vendor "$2" "$3" "${6:-}"; build "$(r "$1")" vendor "$4" "$5" "${7:-}"; }
two build-id "" "-Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567" "" "-Wl,--build-id=0xfedcba9876543210fedcba9876543210fedcba98"
two build-id-none "" "-Wl,--build-id=sha1" "" "-Wl,--build-id=none"
pair time; build "$(s time)" vendor "" ""; SOURCE_DATE_EPOCH=1764361817 build "$(r time)" vendor "" ""
two epoch "-DBUILT=\"at-1764280000\"" "" "-DBUILT=\"at-1764361817\"" ""
pair path; (cd build; for d in vendor rebuild; do mkdir -p long/$d; for f in a b main; do $GCC $flags -c $PWD/$d/$f.c -o $d/$f.o; done; done)
$GCC -o "$(s path)" build/vendor/{main,a,b}.o; $GCC -o "$(r path)" build/rebuild/{main,a,b}.o
pair path-longer; mkdir -p build/a-much-longer-folder; cp build/*.c build/a-much-longer-folder
(cd build; d=a-much-longer-folder; for f in a b main; do $GCC $flags -c $PWD/$d/$f.c -o $d/$f.o; done)
$GCC -o "$(s path-longer)" build/vendor/{main,a,b}.o; $GCC -o "$(r path-longer)" build/a-much-longer-folder/{main,a,b}.o
pair debug-path; build "$(s debug-path)" vendor -g ""; build "$(r debug-path)" rebuild -g ""
pair debug-path-longer; build "$(s debug-path-longer)" vendor -g ""; build "$(r debug-path-longer)" a-much-longer-folder -g ""
two order "" "" "" "" "main.o a.o b.o" "b.o main.o a.o"
two order-stripped "" -s "" -s "main.o a.o b.o" "b.o main.o a.o"
two stripped "" -s "" ""
two stripped-of-debug -g -Wl,-S -g ""
two symbol-added "" "" -DADDED ""
two symbol-added-stripped "" -s -DADDED -s
two symbol-exported "" "-rdynamic" -DADDED "-rdynamic"
two string "" "" '-DGREETING="HELLO,_WORLD_OF_REBUILDS"' ""
two string-longer "" "" '-DGREETING="hello,_world_of_rebuilds_and_of_many_more_things"' ""
two string-longer-stripped "" "-s" '-DGREETING="hello,_world_of_rebuilds_and_of_many_more_things"' "-s"
two version '-DVERSION="1.4.2"' "" '-DVERSION="1.4.3-rc1"' ""
two code "" "" -DSTEP=4 ""
two code-stripped "" -s -DSTEP=4 -s
two code-longer "" "" -DLONGER ""
two code-longer-stripped "" -s -DLONGER -s
two shift "" "-Wl,-z,max-page-size=0x1000" "" "-Wl,-z,max-page-size=0x1000 -Wl,--section-start=.init=0x2000"
two base "-fno-pie" "-no-pie" "-fno-pie" "-no-pie -Wl,-Ttext-segment=0x500000"
two separate-code "" "-Wl,-z,separate-code" "" "-Wl,-z,noseparate-code"
two rpath "" "-Wl,-rpath,/opt/vendor/lib" "" "-Wl,-rpath,/opt/rebuild/lib"
two soname "-fPIC" "-shared -Wl,-soname,libtool.so.1" "-fPIC" "-shared -Wl,-soname,libtool.so.2"
two needed "" "" "" "-Wl,--no-as-needed -lm"
two property "-fcf-protection=none" "" "-fcf-protection=full" ""
two package-note "" '-Wl,--package-metadata={"name":"tool"}' "" '-Wl,--package-metadata={"name":"fool"}'
two hash-style "" "-Wl,--hash-style=gnu" "" "-Wl,--hash-style=both"
pair optimised; build "$(s optimised)" vendor "-O1" ""; build "$(r optimised)" vendor "-O2" ""
pair comment; build "$(s comment)" vendor "" ""; printf 'GCC: (Debian 12.2.0-16) 12.2.0\0' > build/c; objcopy --update-section .comment=build/c "$(s comment)" "$(r comment)"
pair compiler; build "$(s compiler)" vendor "" ""; CC=$GCC14 build "$(r compiler)" vendor "" ""
pair debug-link; for i in vendor rebuild; do build "$PWD/build/$i/t" vendor "" ""; echo $i > build/$i/t.debug; objcopy --add-gnu-debuglink=build/$i/t.debug build/$i/t build/$i/l; done
cp build/vendor/l "$(s debug-link)"; cp build/rebuild/l "$(r debug-link)"
pair object; (cd build/vendor; $GCC $flags -g -c a.c -o a.o); (cd build/rebuild; $GCC $flags -g -c a.c -o a.o); cp build/vendor/a.o "$(s object)"; cp build/rebuild/a.o "$(r object)"
pair object-code; $GCC $flags -c build/a.c -o "$(s object-code)"; $GCC $flags -DLONGER -c build/a.c -o "$(r object-code)"
pair module; for v in 6.12.57 6.12.63; do printf 'license=GPL\0vermagic=%s SMP preempt mod_unload\0name=tool\0' $v > build/modinfo; objcopy --add-section .modinfo=build/modinfo build/vendor/a.o build/m-$v; done
cp build/m-6.12.57 "$(s module)"; cp build/m-6.12.63 "$(r module)"
mkdir -p build/pe
cat > build/pe/p.c <<'C'
#ifndef VERSION
#define VERSION "UEFI SHIM $Version: 16.1"
#endif
#ifndef WHERE
#define WHERE "/build/vendor/shim-16.1"
#endif
#ifndef STEP
#define STEP 3
#endif
static const char version[] = VERSION " built in " WHERE;
static const char *names[] = {"zero", "one", "two", "three"};
int state[64]; static volatile int calls;
__attribute__((noinline)) int mix(int x) { calls += x; return x * 31 ^ state[x & 63]; }
__attribute__((noinline)) int length(const char *s) { int n = 0; while (s[n]) n++; return n; }
#ifdef ADDED
__attribute__((noinline)) int added(int x) { for (int i = 0; i < x; i++) calls ^= mix(i) * 7; return calls; }
#else
#define added(x) 0
#endif
__attribute__((noinline)) int run(int n) { int s = STEP; for (int i = 0; i < n; i++) s = mix(s) + length(names[i & 3]); return s; }
__declspec(dllexport) int entry(void *h, int n) { return run(n) + length(version) + added(n); }
C
build_pe() { "$MINGW" -O2 -nostdlib -ffreestanding -fno-ident -shared -Wl,-e,entry -Wl,--subsystem,10 -Wl,--no-insert-timestamp "${@:2}" -o tool.exe build/pe/p.c; mv tool.exe "$1"; }
two_pe() { mkdir -p $out/$1; eval "build_pe $out/$1/shipped $2"; eval "build_pe $out/$1/rebuilt $3"; }
two_pe pe-version "-s" "-s '-DVERSION=\"UEFI SHIM \$Version: 16.2\"'"
two_pe pe-path "" "'-DWHERE=\"/home/rebuild/x/shim-16.1\"'"
two_pe pe-path-stripped "-s" "-s '-DWHERE=\"/home/rebuild/x/shim-16.1\"'"
two_pe pe-code "-s" "-s -DSTEP=5"
two_pe pe-function "" "-DADDED"
two_pe pe-function-stripped "-s" "-s -DADDED"
two_pe pe-stripped "-s" ""
two_pe pe-build-id "-s -Wl,--build-id=0x00112233445566778899aabbccddeeff" "-s -Wl,--build-id=0xffeeddccbbaa99887766554433221100"
two_pe pe-image-base "-s" "-s -Wl,--image-base,0x140000000"
two_pe pe-ident "-s" "-s -fident"
mkdir -p $out/pe-time $out/pe-sbat $out/pe-sbat-longer
SOURCE_DATE_EPOCH=1764280000 build_pe $out/pe-time/shipped -s -Wl,--insert-timestamp; SOURCE_DATE_EPOCH=1764361817 build_pe $out/pe-time/rebuilt -s -Wl,--insert-timestamp
build_pe build/pe/base -s
for i in 1 2 3; do printf 'sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nshim,4,UEFI shim,shim,1,https://github.com/rhboot/shim\nshim.debian,%s,Debian,shim,16.1-%s,https://tracker.debian.org/pkg/shim\n' $((i>2?2:1)) $i > build/pe/sbat$i; "${MINGW%gcc*}objcopy" --preserve-dates --add-section .sbat=build/pe/sbat$i --set-section-flags .sbat=contents,alloc,load,readonly,data build/pe/base build/pe/s$i; done
cp build/pe/s1 $out/pe-sbat/shipped; cp build/pe/s2 $out/pe-sbat/rebuilt
cp build/pe/s1 $out/pe-sbat-longer/shipped; cp build/pe/s3 $out/pe-sbat-longer/rebuilt

# only the build information of a program by Go, and the id beside it
mkdir -p build/go; (cd build/go; printf 'module example.com/tool\n\ngo 1.21\n' > go.mod
printf 'package main\n\nfunc main() { println("hello") }\n' > main.go
go build -o s -trimpath -ldflags "-s -w" .; go build -o r -ldflags "-s -w -X main.v=1" .
for i in s r; do objcopy -j .go.buildinfo -j .note.go.buildid $i $i.small; done)
pair go; cp build/go/s.small "$(s go)"; cp build/go/r.small "$(r go)"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=644 -C pairs -cf - . | xz -9e > pairs.tar.xz
