# shellcheck shell=bash
# Shared by tools/demo and tools/test: installs what is missing, configures a release build in build/
# and builds it. Sourced by bash scripts that use `set -euo pipefail`.

packages=(meson ninja-build gcc pkg-config libc6-dev libcriterion-dev libhwloc-dev libsleef-dev
  libjansson-dev zlib1g-dev valgrind)
modules=(criterion hwloc sleef jansson zlib)

say() { printf '== %s\n' "$*" >&2; }
die() {
  printf '== %s\n' "$*" >&2
  exit 1
}

# Prints what the build needs and cannot find, one word each.
missing() {
  local tool module
  for tool in meson ninja pkg-config; do
    command -v "$tool" >/dev/null 2>&1 || echo "$tool"
  done
  command -v "${CC:-cc}" >/dev/null 2>&1 || echo "${CC:-cc}"
  if command -v pkg-config >/dev/null 2>&1; then
    for module in "${modules[@]}"; do
      pkg-config --exists "$module" || echo "$module"
    done
  else
    printf '%s\n' "${modules[@]}"
  fi
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Runs a command quietly; shows what it said when it fails.
quietly() {
  local log
  log=$(mktemp)
  if "$@" </dev/null >"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  cat "$log" >&2
  rm -f "$log"
  return 1
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
}

install_missing() {
  local lacking
  lacking=$(missing | tr '\n' ' ')
  [ -n "$lacking" ] || return 0
  say "missing: $lacking"
  if ! command -v apt-get >/dev/null 2>&1; then
    say "no apt-get here. Please install a C compiler with OpenMP, meson (1.0 or newer), ninja,"
    say "pkg-config, and the development files of Criterion, hwloc, SLEEF, jansson and zlib."
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    die "neither root nor sudo: please have these installed: ${packages[*]}"
  fi
  say "installing with apt: ${packages[*]}"
  if ! quietly apt_install 2>/dev/null; then
    say "apt's lists are missing or old: updating them"
    quietly as_root apt-get update || die "apt-get update failed: is there a network?"
    quietly apt_install || die "apt could not install: ${packages[*]}"
  fi
  lacking=$(missing | tr '\n' ' ')
  [ -z "$lacking" ] || die "still missing after the installation: $lacking"
}

configure() {
  [ ! -f build/build.ninja ] || return 0
  say "configuring a release build in build/"
  # What an interrupted configuration left behind would only confuse meson.
  rm -rf build/meson-private build/meson-info
  quietly meson setup build --buildtype=release || die "meson could not configure build/"
}

# set_up [TARGET...]: after this, build/ has these targets, all of them by default, up to date, and the
# current folder is the top of the checkout.
set_up() {
  cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
  install_missing
  configure
  say "building"
  quietly ninja -C build "$@" || die "the build failed"
}
