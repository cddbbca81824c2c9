#!/usr/bin/env bash
# A real S3 server for the tests: Ceph's object gateway with one monitor and one in-memory OSD, on loopback, unpacked beside the
# sources instead of installed. Debian and Ubuntu have the packages; elsewhere point TEST_S3_ENDPOINT at a server of yours.
#
#   s3-server.sh fetch CACHE                            download and unpack once (about 70 MB)
#   s3-server.sh start CACHE STATE PORT MON_V2 MON_V1   run it with its state in STATE; needs three free ports
#   s3-server.sh stop  STATE                            end exactly the processes that `start` wrote down
#
# What to know of this server: it enforces signatures and `If-None-Match: *` on PUT with one winner of a race; it ignores conditions
# on the completion of multipart uploads; it refuses checksum trailers, so clients calculate checksums only where required.
set -euo pipefail

fetch() {
  local cache=$1
  [[ -x $cache/tree/usr/bin/radosgw ]] && return
  rm -rf "$cache/tree" "$cache/unpacking"
  mkdir -p "$cache/packages/partial" "$cache/unpacking"
  # Only root may bring the lists up to date and take the system's locks; a mere download needs neither.
  local unlocked=true
  if [[ $EUID -eq 0 ]]; then
    unlocked=false
    apt-get -qq update >/dev/null 2>&1 || true
  fi
  apt-get -qq -y --no-install-recommends --download-only -o Debug::NoLocking=$unlocked -o Dir::Cache::archives="$cache/packages" \
    install radosgw ceph-mon ceph-osd >/dev/null
  local package
  for package in "$cache"/packages/*.deb; do dpkg-deb --extract "$package" "$cache/unpacking"; done
  # Only a whole tree gets the name that is looked for.
  mv "$cache/unpacking" "$cache/tree"
}

stop() {
  local file
  for file in "$1"/*.pid; do
    if [[ -f $file ]]; then
      # Not TERM: an OSD whose monitor has gone waits for it for ever, and nothing here is worth keeping.
      kill -KILL "$(<"$file")" 2>/dev/null || true
      rm -f "$file"
    fi
  done
}

configuration() {
  local state=$1 port=$2 v2=$3 v1=$4 lib=$5 fsid=$6
  cat <<C
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$v2,v1:127.0.0.1:$v1]
public addr = 127.0.0.1
ms bind ipv6 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = $state
pid file = $state/\$name.pid
log file = $state/\$name.log
admin socket = $state/\$name.asok
plugin dir = $lib/ceph
erasure code dir = $lib/ceph/erasure-code
osd class dir = $lib/rados-classes
osd data = $state/osd
osd objectstore = memstore
memstore device bytes = 3221225472
mon data = $state/mon
mon data avail crit = 1
mon allow pool size one = true
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[client.rgw]
rgw data = $state/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw enable usage log = false
rgw thread pool size = 16
C
}

# Waits up to 60 s for a command to succeed.
await() {
  local tries
  for tries in $(seq 120); do
    if "$@"; then return; fi
    sleep 0.5
  done
  echo "gave up waiting: $*"
  return 1
}

start() {
  local cache=$1 state=$2 port=$3 v2=$4 v1=$5
  local tree=$cache/tree
  local lib=$tree/usr/lib/$(uname -m)-linux-gnu
  export LD_LIBRARY_PATH=$lib:$lib/ceph:$tree/lib/$(uname -m)-linux-gnu
  export PATH=$tree/usr/bin:$PATH PYTHONPATH=$tree/usr/lib/python3/dist-packages
  export CEPH_CONF=$state/ceph.conf
  mkdir -p "$state"/{mon,osd,rgw}
  local fsid osd
  fsid=$(</proc/sys/kernel/random/uuid)
  osd=$(</proc/sys/kernel/random/uuid)
  configuration "$state" "$port" "$v2" "$v1" "$lib" "$fsid" >"$CEPH_CONF"
  ceph() { timeout 30 /usr/bin/python3 "$tree/usr/bin/ceph" -c "$CEPH_CONF" "$@"; }
  osd_is_up() { [[ $(ceph osd stat) == *"1 up"* ]]; }
  gateway_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

  monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$v2,v1:127.0.0.1:$v1]" "$state/monmap"
  ceph-mon --mkfs -i a --monmap "$state/monmap"
  ceph-mon -i a
  ceph osd new "$osd"
  ceph-osd -i 0 --mkfs --osd-uuid "$osd"
  ceph-osd -i 0
  await osd_is_up
  radosgw -n client.rgw
  await gateway_listens
  radosgw-admin user create --uid=test --display-name=test --access-key="$S3_TEST_ACCESS_KEY" --secret-key="$S3_TEST_SECRET_KEY"
}

command=${1:-}
case $command in
  fetch) fetch "$2" ;;
  stop) stop "$2" ;;
  launch) start "${@:2}" ;;
  start)
    mkdir -p "$3"
    # As a process of its own: inside a condition bash would not stop at the first failing step.
    if ! "$0" launch "${@:2}" >"$3/start.log" 2>&1; then
      tail -n 20 "$3/start.log" >&2
      stop "$3"
      exit 1
    fi
    ;;
  *)
    echo "usage: s3-server.sh fetch CACHE | start CACHE STATE PORT MON_V2 MON_V1 | stop STATE" >&2
    exit 2
    ;;
esac
