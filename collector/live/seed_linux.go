// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// seeds are the sockets that existed before, as iterators wrote them. There may be a hundred thousand, so each becomes an
// event only when it is delivered.
type seeds struct {
	raw       [][]byte                    // what is left, by network namespace
	owners    map[uint64]*bpf.KernelOwner // by cookie
	listeners map[place][]event.Event
	config    Config
}

// place is where listeners listen, whatever the address.
type place struct {
	netns uint32
	port  uint16
}

func placeOf(e *event.Event) place { return place{e.NetNS, e.Local.Port()} }

// seed reads the sockets of every network namespace, then their owners. Next delivers them.
func (s *Session) seed(ctx context.Context, c Config) error {
	s.seeds = seeds{config: c, listeners: map[place][]event.Event{}}
	paths := namespaces(c.NetNS)
	if c.NetNS == "" {
		kept := s.keptBySockets(paths)
		defer closeAll(kept)
		for _, f := range kept {
			paths = append(paths, fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		}
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := readIn(path, s.hooks[probes.Seed].links[0].(*link.Iter))
		if err != nil {
			continue // a namespace that has gone meanwhile
		}
		s.seeds.raw = append(s.seeds.raw, raw)
	}
	s.seeds.owners = s.owners()
	s.chosen.seeded()
	s.noteListeners()
	return nil
}

// noteListeners keeps what the listeners among the seeds leave for their children, and for samples.
func (s *Session) noteListeners() {
	all := seeds{raw: slices.Clone(s.seeds.raw)}
	var e event.Event
	for {
		raw := all.next(&s.decoder, &e)
		if raw == nil {
			return
		}
		if e.Kind != event.Listen {
			continue
		}
		drops := record[bpf.KernelQueueEvent](raw).Drops
		st := &listenerState{before: drops, drops: drops, netns: e.NetNS}
		if o := s.seeds.owners[e.Conn]; o != nil {
			s.setOwner(&e, o)
			st.found(o)
		}
		s.listeners[e.Conn] = st
		s.seeds.listeners[placeOf(&e)] = append(s.seeds.listeners[placeOf(&e)], e)
	}
}

// next decodes the next socket and returns its record; nil: there is none left.
func (x *seeds) next(d *decoder, e *event.Event) []byte {
	for ; len(x.raw) > 0; x.raw = x.raw[1:] {
		if raw := x.raw[0]; len(raw) > 0 && d.decode(raw, e) == nil {
			x.raw[0] = raw[recordSize(e.Kind):]
			return raw
		}
	}
	return nil
}

// nextSeed delivers the next socket that existed before and is watched. False: there is none left.
func (s *Session) nextSeed(e *event.Event) bool {
	for s.seeds.next(&s.decoder, e) != nil {
		if o := s.seeds.owners[e.Conn]; o != nil {
			s.setOwner(e, o)
		}
		s.seeds.adopt(e)
		if s.watches(e, &s.seeds.config) {
			return true
		}
	}
	s.seeds = seeds{}
	return false
}

// adopt gives a server's connection that was there before to the one listener on its local port, if there is just one: it
// is its child. One that nobody has accepted belongs to its process. A client may have a listener's port, too.
func (x *seeds) adopt(e *event.Event) {
	if e.Role != event.RoleServer {
		return
	}
	l := x.onlyListener(e)
	if l == nil {
		return
	}
	e.Listener, e.ListenerConn = l.Listener, l.ListenerConn
	e.Set(event.FieldListener, event.FieldListenerConn)
	if e.Queued && !e.Known(event.FieldPID) && l.Known(event.FieldPID) {
		e.PID, e.Comm = l.PID, l.Comm
		e.Set(event.FieldPID, event.FieldComm)
	}
}

// onlyListener returns the one listener whose address takes in the connection's local one, or nil if there is none or
// more than one.
func (x *seeds) onlyListener(e *event.Event) *event.Event {
	var found *event.Event
	all := x.listeners[placeOf(e)]
	for i := range all {
		l := &all[i]
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
func (s *Session) watches(e *event.Event, c *Config) bool {
	if !c.byProcess() && c.Comm == "" {
		return true
	}
	if !e.Known(event.FieldPID) || c.Comm != "" && e.Comm != c.Comm {
		return false
	}
	if !c.byProcess() {
		return true
	}
	by, all := s.watchedBy(e.PID), c.chosenBy()
	return by&all == all
}

// recordSize is the size of the wire struct that an iterator writes for a kind.
func recordSize(k event.Kind) int {
	if k == event.Established || k == event.Connect {
		return int(unsafe.Sizeof(bpf.KernelEstablishedEvent{}))
	}
	return int(unsafe.Sizeof(bpf.KernelQueueEvent{}))
}

// namespaces lists one path for each network namespace that a thread or a mount holds, our own first; or only the one
// that is asked for.
func namespaces(only string) []string {
	if only != "" {
		return []string{only}
	}
	paths := slices.Concat([]string{"/proc/self/ns/net"}, threads(), mounts())
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

// threads lists the network namespaces of all threads. A process with one thread has but its own.
func threads() (paths []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		all := []string{p}
		var st unix.Stat_t
		if unix.Stat(p+"/task", &st) == nil && st.Nlink > 3 { // ".", "..", and one for each thread
			all, _ = filepath.Glob(p + "/task/*")
		}
		for _, thread := range all {
			paths = append(paths, thread+"/ns/net")
		}
	}
	return paths
}

// mounts lists where network namespaces are mounted.
func mounts() []string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return netnsMounts(string(text))
}

// netnsMounts finds them in /proc/PID/mountinfo (proc(5)): the root of such a mount is net:[INODE].
func netnsMounts(mountinfo string) (paths []string) {
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[3], "net:[") {
			paths = append(paths, unescape.Replace(f[4]))
		}
	}
	return paths
}

// unescape undoes what mountinfo does to the characters that would end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// keptBySockets opens the network namespaces that have sockets and are not among the known ones: no thread is in them, and
// no mount that we see keeps them. Where we may not take a descriptor of another process (pidfd_getfd) there are none.
func (s *Session) keptBySockets(known []string) (kept []*os.File) {
	seen := map[uint32]bool{}
	for _, path := range known {
		if ino, err := netnsInode(path); err == nil {
			seen[ino] = true
		}
	}
	raw, err := iterate(s.hooks[probes.Seed].links[1].(*link.Iter).Open)
	if err != nil {
		return nil
	}
	for size := int(unsafe.Sizeof(bpf.KernelInhabitant{})); len(raw) >= size; raw = raw[size:] {
		in := record[bpf.KernelInhabitant](raw)
		if seen[in.Netns] {
			continue
		}
		if f, err := netnsOfSocket(in.Pid, in.Fd); err == nil {
			seen[in.Netns] = true
			kept = append(kept, f)
		}
	}
	return kept
}

// netnsOfSocket opens the network namespace of another process's socket.
func netnsOfSocket(pid, fd uint32) (*os.File, error) {
	process, err := unix.PidfdOpen(int(pid), 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(process)
	sock, err := unix.PidfdGetfd(process, int(fd), 0)
	if err != nil {
		return nil, fmt.Errorf("take descriptor %d of process %d: %w", fd, pid, err)
	}
	defer unix.Close(sock)
	ns, err := unix.IoctlRetInt(sock, unix.SIOCGSKNS)
	if err != nil {
		return nil, fmt.Errorf("open network namespace of a socket: %w", err)
	}
	return os.NewFile(uintptr(ns), "netns"), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// readIn reads an iterator as seen from a network namespace.
func readIn(path string, it *link.Iter) ([]byte, error) {
	var r io.ReadCloser
	err := inSpace(path, func() (err error) {
		r, err = it.Open() // the reader keeps the namespace of its opener
		return err
	})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
