// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/bpf"
)

// TestParseInterest: what the kernel writes of an epoll instance, and what might come instead.
func TestParseInterest(t *testing.T) {
	in := parseInterest("pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1038\n"+
		"tfd:        4 events:       19 data:                4  pos:0 ino:88e367 sdev:9\n"+
		"tfd:       11 events: 80002001 data:     7f00000000ff  pos:0 ino:88e368 sdev:9\n"+
		"tfd:       12 events: 50000001 data:     7f00000000ff  pos:0 ino:40e sdev:10\n"+
		"tfd: x events:\ntfd:\ntfd: 9 events: zz data: 1\n", 9)
	if in.fds != 3 || in.socks != 2 || !in.sockets || !in.known {
		t.Errorf("%+v", in)
	}
	if diff := cmp.Diff(map[string]int64{"level": 2, "edge": 1, "exclusive": 1, "oneshot": 1}, in.modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"4": 0x19, "11": 0x80002001, "12": 0x50000001}, in.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if old := parseInterest("tfd: 4 events: 19 data: 4\n", 9); old.sockets || old.fds != 1 {
		t.Errorf("without device numbers: %+v", old)
	}
}

// TestListed: what a poll or a select was called with.
func TestListed(t *testing.T) {
	var polled bpf.KernelLoopList
	polled.N, polled.Known = 3, 1
	for i, fd := range []int32{5, -1, 7} {
		binary.NativeEndian.PutUint32(polled.Bytes[8*i:], uint32(fd))
		binary.NativeEndian.PutUint16(polled.Bytes[8*i+4:], pollIn)
	}
	in := listed(&polled, bpf.KernelLoopKindLOOP_POLL, 0)
	if diff := cmp.Diff(map[string]int64{"5": pollIn, "7": pollIn}, in.events); diff != "" || in.fds != 2 || !in.sockets {
		t.Errorf("%+v (-want +got):\n%s", in, diff)
	}
	polled.N = 100
	if in := listed(&polled, bpf.KernelLoopKindLOOP_POLL, 0); in.sockets || in.fds < 36 {
		t.Errorf("of 100 descriptors 64 are listed: how many are sockets is not known: %+v", in)
	}
	var chosen bpf.KernelLoopList
	chosen.N, chosen.Known = 20, 1
	chosen.Bytes[0], chosen.Bytes[2], chosen.Bytes[128] = 1<<3, 1<<3|1<<5, 1<<3 // in: 3, 19 and 21, which is not asked about; out: 3
	in = listed(&chosen, bpf.KernelLoopKindLOOP_SELECT, 0)
	if diff := cmp.Diff(map[string]int64{"3": pollIn | pollOut, "19": pollIn}, in.events); diff != "" {
		t.Errorf("select (-want +got):\n%s", diff)
	}
}
