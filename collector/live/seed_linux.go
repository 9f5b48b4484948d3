// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// seed queues what existed before: the sockets of every network namespace, then their owners.
func (s *Session) seed(ctx context.Context, c Config) error {
	spaces := namespaces(c.NetNS)
	for _, path := range spaces {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := readIn(path, s.hooks[probes.Seed].links[0].(*link.Iter))
		if err != nil {
			continue // a namespace that has gone meanwhile
		}
		s.queueRecords(raw)
	}
	s.addOwners()
	adopt(s.pending)
	if !c.byProcess() && c.Comm == "" {
		return nil
	}
	watched := s.pending[:0]
	for _, e := range s.pending {
		if e.Known(event.FieldPID) && s.watches(&e, c) {
			watched = append(watched, e)
		}
	}
	s.pending = watched
	return nil
}

// adopt gives connections that were there before to the one listener on their local port, if there is just one: they
// are its children. Those that nobody has accepted belong to its process.
func adopt(events []event.Event) {
	for i := range events {
		e := &events[i]
		if e.Kind != event.Established {
			continue
		}
		queued := e.Known(event.FieldRole) // the kernel program knows the role of queued ones only
		if queued {
			e.Queued = true
			e.Set(event.FieldQueued)
		}
		l := onlyListener(events, e)
		if l == nil {
			continue
		}
		e.Role, e.Listener, e.ListenerConn = event.RoleServer, l.Listener, l.ListenerConn
		e.Set(event.FieldRole, event.FieldListener, event.FieldListenerConn)
		if queued && !e.Known(event.FieldPID) && l.Known(event.FieldPID) {
			e.PID, e.Comm = l.PID, l.Comm
			e.Set(event.FieldPID, event.FieldComm)
		}
	}
}

// onlyListener returns the one listener whose address takes in the connection's local one, or nil if there is none or
// more than one.
func onlyListener(events []event.Event, e *event.Event) *event.Event {
	var found *event.Event
	for i := range events {
		l := &events[i]
		if l.Kind != event.Listen || l.NetNS != e.NetNS || l.Local.Port() != e.Local.Port() {
			continue
		}
		if l.Local.Addr() != e.Local.Addr() && !l.Local.Addr().IsUnspecified() {
			continue
		}
		if found != nil {
			return nil
		}
		found = l
	}
	return found
}

// watches repeats process_wanted of sock.bpf.h for sockets that were there before.
func (s *Session) watches(e *event.Event, c Config) bool {
	if c.Comm != "" && e.Comm != c.Comm {
		return false
	}
	if !c.byProcess() {
		return true
	}
	var v uint8
	return s.maps["watched_pids"].Lookup(e.PID, &v) == nil
}

// queueRecords decodes what an iterator wrote: whole events, one after the other.
func (s *Session) queueRecords(raw []byte) {
	for len(raw) > 0 {
		var e event.Event
		if s.decoder.decode(raw, &e) != nil {
			return
		}
		if e.Kind == event.Listen {
			drops := record[bpf.KernelQueueEvent](raw).Drops
			s.listeners[e.Conn] = &listenerState{before: drops, drops: drops, netns: e.NetNS}
		}
		s.pending = append(s.pending, e)
		raw = raw[recordSize(e.Kind):]
	}
}

// recordSize is the size of the wire struct that an iterator writes for a kind.
func recordSize(k event.Kind) int {
	if k == event.Established {
		return int(unsafe.Sizeof(bpf.KernelEstablishedEvent{}))
	}
	return int(unsafe.Sizeof(bpf.KernelQueueEvent{}))
}

// namespaces lists one path for each network namespace that a process or a mount holds, our own first; or only the
// one that is asked for.
func namespaces(only string) []string {
	if only != "" {
		return []string{only}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	paths := slices.Concat([]string{"/proc/self/ns/net"}, processes, mounts())
	seen := map[uint64]bool{}
	var out []string
	for _, p := range paths {
		var st unix.Stat_t
		if unix.Stat(p, &st) != nil || seen[st.Ino] {
			continue
		}
		seen[st.Ino] = true
		out = append(out, p)
	}
	return out
}

// mounts lists the network namespaces that are kept by a mount.
func mounts() (paths []string) {
	for _, pattern := range []string{"/run/netns/*", "/run/docker/netns/*"} {
		more, _ := filepath.Glob(pattern)
		paths = append(paths, more...)
	}
	return paths
}

// readIn reads an iterator as seen from a network namespace. It enters the namespace on a thread of its own, which
// ends with it.
func readIn(path string, it *link.Iter) ([]byte, error) {
	type answer struct {
		r   io.ReadCloser
		err error
	}
	ch := make(chan answer)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is not used again
		f, err := os.Open(path)
		if err != nil {
			ch <- answer{nil, err}
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			ch <- answer{nil, fmt.Errorf("enter %s: %w", path, err)}
			return
		}
		r, err := it.Open() // the reader keeps the namespace of its opener
		ch <- answer{r, err}
	}()
	a := <-ch
	if a.err != nil {
		return nil, a.err
	}
	defer a.r.Close()
	return io.ReadAll(a.r)
}
