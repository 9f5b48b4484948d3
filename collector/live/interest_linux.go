// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
)

const (
	interestShown = 64 // descriptors that an event of a loop lists
	// Reading an epoll instance's list holds its lock (ep_show_fdinfo), several times over for a long one: so many of its
	// descriptors are read each second at most.
	interestPerSecond = 128
)

// What an epoll instance is told beside the events themselves (include/uapi/linux/eventpoll.h).
const (
	epollExclusive = 1 << 28
	epollOneshot   = 1 << 30
	epollEdge      = 1 << 31
)

// interest is what a loop waits for: as /proc lists it, or as its last poll or select did.
type interest struct {
	at      int64 // when it was read; 0: never
	known   bool
	sockets bool // how many are sockets is known
	fds     uint32
	socks   uint32
	modes   map[string]int64
	events  map[string]int64
}

// read reads it anew if that is due. False: there is no such loop any more.
func (in *interest) read(s *Session, key bpf.KernelLoopKey, pid uint32, now int64) bool {
	if now-in.at < int64(in.fds)*int64(time.Second)/interestPerSecond {
		return true
	}
	if key.Fd < 0 {
		var list bpf.KernelLoopList
		if s.maps[bpf.KernelMapLoopLists].Lookup(key.Tid, &list) == nil && list.Known != 0 && list.Ts != uint64(in.at) {
			*in = listed(&list, bpf.KernelLoopKind(-key.Fd), pid)
		}
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, key.Fd))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	*in = parseInterest(string(text), s.loops.sockfs)
	in.at, in.sockets = now, in.sockets && s.loops.sockfs != 0
	return true
}

// parseInterest reads the fdinfo of an epoll instance: "tfd: 5 events: 80000019 data: 7f… pos:0 ino:81f3 sdev:8".
func parseInterest(text string, sockfs uint64) interest {
	in := interest{known: true, sockets: true, modes: map[string]int64{}, events: map[string]int64{}}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "tfd:")
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		if len(words) < 3 || words[1] != "events:" {
			continue
		}
		events, err := strconv.ParseUint(words[2], 16, 32)
		if err != nil {
			continue
		}
		in.add(words[0], uint32(events))
		for m, bit := range map[string]uint64{event.ModeEdge: epollEdge, event.ModeExclusive: epollExclusive, event.ModeOneshot: epollOneshot} {
			if events&bit != 0 {
				in.modes[m]++
			}
		}
		if events&epollEdge == 0 {
			in.modes[event.ModeLevel]++
		}
		at := strings.LastIndex(line, "sdev:")
		if at < 0 {
			in.sockets = false
			continue
		}
		if dev, err := strconv.ParseUint(strings.TrimSpace(line[at+len("sdev:"):]), 16, 64); err == nil && dev == sockfs {
			in.socks++
		}
	}
	return in
}

func (in *interest) add(fd string, events uint32) {
	in.fds++
	if len(in.events) < interestShown {
		in.events[fd] = int64(events)
	}
}

// Poll's events that a select asks for.
const (
	pollIn  = 1
	pollPri = 2
	pollOut = 4
)

// listed reads what a poll or a select was called with.
func listed(list *bpf.KernelLoopList, kind bpf.KernelLoopKind, pid uint32) interest {
	in := interest{at: int64(list.Ts), known: true, sockets: true, events: map[string]int64{}}
	if kind == bpf.KernelLoopKindLOOP_SELECT {
		in.addSets(list.Bytes[:384], int(list.N))
	} else {
		in.addPolled(list.Bytes[:512], int(list.N))
	}
	for fd := range in.events {
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd)); err == nil && strings.HasPrefix(target, "socket:") {
			in.socks++
		}
	}
	in.sockets = in.sockets && int(in.fds) == len(in.events)
	return in
}

// addPolled reads an array of struct pollfd.
func (in *interest) addPolled(raw []byte, n int) {
	for i := range min(n, len(raw)/8) {
		fd := int32(binary.NativeEndian.Uint32(raw[8*i:]))
		if fd >= 0 { // poll passes over the others
			in.add(strconv.Itoa(int(fd)), uint32(binary.NativeEndian.Uint16(raw[8*i+4:])))
		}
	}
	if more := n - len(raw)/8; more > 0 {
		in.fds += uint32(more)
		in.sockets = false
	}
}

// addSets reads three sets of n descriptors each.
func (in *interest) addSets(raw []byte, n int) {
	size := len(raw) / 3
	for fd := range min(n, 8*size) {
		var events uint32
		for set, ev := range []uint32{pollIn, pollOut, pollPri} {
			if raw[set*size+fd/8]>>(fd%8)&1 != 0 {
				events |= ev
			}
		}
		if events != 0 {
			in.add(strconv.Itoa(fd), events)
		}
	}
}

// put adds it to an event.
func (in *interest) put(e *event.Event) {
	if !in.known {
		return
	}
	e.Loop.FDs, e.Loop.Interest = in.fds, in.events
	e.Set(event.FieldFDs, event.FieldInterest)
	if in.modes != nil {
		e.Loop.Modes = in.modes
		e.Set(event.FieldModes)
	}
	if in.sockets {
		e.Loop.Sockets = in.socks
		e.Set(event.FieldSockets)
	}
}
