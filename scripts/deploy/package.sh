#!/usr/bin/env bash
# Makes the Debian package into target/debian/ and prints its name: scripts/deploy/package.sh [--binary FILE]
#
# Pages for man and completions are what the binary itself prints. --binary packs one that is there; otherwise a
# release is built. cargo-deb is installed into target/ where it is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=''
case "${1:-}:$#" in
    :0) ;;
    --binary:2) binary=$2 ;;
    *) echo "usage: scripts/deploy/package.sh [--binary FILE]" >&2 && exit 2 ;;
esac

if [ -z "$binary" ]; then
    cargo build --locked --release --bin kvstoreapp >&2
    binary=${CARGO_TARGET_DIR:-target}/release/kvstoreapp
fi
cargo_deb=target/deploy/cargo-deb/bin/cargo-deb
[ -x $cargo_deb ] || cargo install cargo-deb --locked --quiet --root target/deploy/cargo-deb --target-dir target/deploy/build >&2

# What Cargo.toml names as assets under target/deploy/package.
made=target/deploy/package
rm -rf $made && mkdir -p $made/man
cp "$binary" $made/kvstoreapp
strip --strip-unneeded $made/kvstoreapp
$made/kvstoreapp man --out $made/man >&2
gzip -9n $made/man/*
for shell in bash zsh fish; do $made/kvstoreapp completions $shell >$made/kvstoreapp.$shell; done
version=$($made/kvstoreapp --version | cut -d' ' -f2)
{
    printf 'kvstoreapp (%s-1) unstable; urgency=medium\n\n' "$version"
    printf '  * What is new stands in scripts/CHANGELOG.md of the source.\n\n'
    printf ' -- kvstoreapp <root@localhost>  %s\n' "$(date -uR -d "@$(git log -1 --format=%ct 2>/dev/null || date +%s)")"
} >$made/changelog

$cargo_deb deb --no-build --no-strip --deb-version "$version-1" --output target/debian/
