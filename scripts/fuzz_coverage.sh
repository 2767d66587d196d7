#!/bin/sh
# Runs each coverage-guided fuzz target for SECONDS seconds, with the seeds of fuzz/seeds. New inputs are kept in
# fuzz/corpus; an input that fails is stored in fuzz/artifacts.
set -eu
cd "$(dirname "$0")/.."
missing=
cargo +nightly --version >/dev/null 2>&1 || missing="a nightly toolchain (rustup toolchain install nightly)"
cargo fuzz --version >/dev/null 2>&1 || missing="${missing:+$missing and }cargo-fuzz (cargo install cargo-fuzz)"
if [ -n "$missing" ]; then
    echo "coverage-guided fuzzing needs $missing" >&2
    exit 1
fi
target_dir=${CARGO_TARGET_DIR:-target}/fuzz
for target in decode_songs decode_events commit_record partition_path decompress; do
    case $target in
        decode_* | commit_record) dictionary=-dict=fuzz/json.dict ;;
        *) dictionary= ;;
    esac
    mkdir -p "fuzz/corpus/$target"
    # shellcheck disable=SC2086  # no dictionary is no argument
    cargo +nightly fuzz run --sanitizer none --target-dir "$target_dir" "$target" \
        "fuzz/corpus/$target" "fuzz/seeds/$target" -- $dictionary -max_total_time="${SECONDS_PER_TARGET:-60}" -max_len=8192
done
