// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"

	"golang.org/x/sys/unix"
)

// searchPeriod is how often all processes are looked through for one that is in a network namespace.
const searchPeriod = 10 * time.Second

// space is a network namespace in which somebody listens, or that was there at the start.
type space struct {
	path     string      // one that leads into it: /proc/PID/ns/net or a mount
	base     event.Space // its counters when the watch began: zero for one that was made later
	read     event.Space // its counters as they were read last
	now      event.Space // they less base, and its settings
	have     event.Mask  // which of them are known
	told     event.Space // as the last event has it
	toldHave event.Mask
	refused  uint64 // ListenDrops at the last read
	syns     uint64 // refused SYNs told from counts
	acks     uint64 // final ACKs that its listeners had refused before the last read
	ended    uint64 // final ACKs that listeners refused which have ended
	others   others
	carried  uint64 // of it, what is new in that read and not told
	listens  bool   // a watched listener is in it
	moved    bool   // one of them counted a drop since the last read
	unread   bool   // it could not be read the last time
	pid      uint32 // owner of one of them
	waited   int    // reads since it was read
}

// spaces are the network namespaces by inode.
type spaces struct {
	known    map[uint32]*space
	searched int64
}

// begin reads the counters of every namespace that there is; partial: also those of its listeners, which are not all watched.
func (p *spaces) begin(only string, partial bool) {
	p.known = map[uint32]*space{}
	p.search(only)
	for _, sp := range p.known {
		if partial { // before the namespace's, which then have nothing that these have not
			sp.others.look(sp.path, func(uint64) bool { return true })
		}
		sp.base, _ = counters(sp.path)
		sp.read = sp.base
	}
}

// search finds a path into each namespace.
func (p *spaces) search(only string) {
	p.searched = monotonic()
	found := map[uint32]bool{}
	for _, path := range namespaces(only) {
		if ino, err := netnsInode(path); err == nil {
			p.of(ino).path, found[ino] = selfless(path), true
		}
	}
	for ino, sp := range p.known {
		if !sp.listens && !found[ino] {
			delete(p.known, ino) // it is gone
		}
	}
}

// selfless names our own namespace by our pid: /proc/self is another for each reader, and may be a thread.
func selfless(path string) string {
	return strings.Replace(path, "/proc/self/", fmt.Sprintf("/proc/%d/", os.Getpid()), 1)
}

func (p *spaces) of(ino uint32) *space {
	sp := p.known[ino]
	if sp == nil {
		sp = &space{}
		p.known[ino] = sp
	}
	return sp
}

// path returns a path into a namespace, or nothing. pid: a process that may be in it, or 0.
func (p *spaces) path(ino, pid uint32) string {
	sp := p.of(ino)
	if sp.path != "" && leadsTo(sp.path, ino) {
		return sp.path
	}
	sp.path = ""
	if own := fmt.Sprintf("/proc/%d/ns/net", pid); pid != 0 && leadsTo(own, ino) {
		sp.path = own
		return own
	}
	for _, mount := range mounts() {
		if leadsTo(mount, ino) {
			sp.path = mount
			return mount
		}
	}
	if monotonic()-p.searched > int64(searchPeriod) {
		p.search("")
	}
	return p.of(ino).path
}

func leadsTo(path string, ino uint32) bool {
	got, err := netnsInode(path)
	return err == nil && got == ino
}

// sample takes what the sample of a listener says of its namespace.
func (p *spaces) sample(e *event.Event, r *bpf.KernelSampleEvent) {
	sp := p.of(e.NetNS)
	sp.listens = true
	if e.Known(event.FieldPID) {
		sp.pid = e.PID
	}
	if bpf.KernelEventHas(r.Q.E.Has)&bpf.KernelEventHasHAS_SETTINGS == 0 {
		return
	}
	sp.now.SomaxConn, sp.now.MaxSYNBacklog = uint64(r.Somaxconn), uint64(r.MaxSynBacklog)
	sp.now.SYNCookies, sp.now.AbortOnOverflow = uint64(r.Syncookies), uint64(r.AbortOnOverflow)
	sp.have.Add(event.FieldSomaxConn)
	sp.have.Add(event.FieldMaxSYNBacklog)
	sp.have.Add(event.FieldSYNCookies)
	sp.have.Add(event.FieldAbortOnOverflow)
}

// spacesPerRead is how many namespaces are read each second in which no listener's counter moved: one takes 0.1 ms.
const spacesPerRead = 32

// readSpaces queues an event for each namespace with a watched listener of which something has changed. Where there are
// many, those that are quiet take turns.
func (s *Session) readSpaces(ts int64) {
	listening := 0
	for _, sp := range s.spaces.known {
		if sp.listens {
			listening++
		}
	}
	turns := (listening + spacesPerRead - 1) / spacesPerRead
	for ino, sp := range s.spaces.known {
		if !sp.listens {
			continue
		}
		sp.listens = false // until the next sample
		if sp.waited++; sp.waited >= turns || sp.moved || s.final {
			s.readSpace(sp, ino, ts)
		}
	}
}

func (s *Session) readSpace(sp *space, ino uint32, ts int64) {
	sp.waited = 0
	s.readCounters(sp, ino)
	if sp.now != sp.told || sp.have != sp.toldHave {
		s.pending = append(s.pending, sp.event(ino, ts))
		sp.told, sp.toldHave = sp.now, sp.have
	}
	s.refusedSomewhere(sp, ino, ts)
	sp.moved = false
}

// readCounters reads a namespace's counters, and where drops are worked out from them what else they have.
func (s *Session) readCounters(sp *space, ino uint32) {
	acks := s.acksIn(ino) // before the counters, which then have them all
	path := s.spaces.path(ino, sp.pid)
	s.lookAtOthers(sp, path)
	now, err := counters(path)
	if sp.unread = path == "" || err != nil; !sp.unread {
		sp.count(&now)
		sp.acks = sp.ended + acks
	}
}

// enter reads the counters of a namespace in which somebody begins to listen and nobody else does, lest it is taken later
// for one that is gone and had its number.
func (s *Session) enter(e *event.Event) {
	sp := s.spaces.of(e.NetNS)
	if e.Known(event.FieldPID) {
		sp.pid = e.PID
	}
	for conn, st := range s.listeners {
		if conn != e.Conn && st.netns == e.NetNS {
			return
		}
	}
	s.readCounters(sp, e.NetNS)
}

// refusedSomewhere tells what the namespace's listeners refused together, where nothing says which of them did: what was
// counted since a watched one's own counter moved, and in the read before, which may have come between the two.
func (s *Session) refusedSomewhere(sp *space, ino uint32, ts int64) {
	fresh := sp.now.ListenDrops - min(sp.now.ListenDrops, sp.refused)
	sp.refused = sp.now.ListenDrops
	if !sp.moved {
		sp.carried = fresh
		return
	}
	count := fresh + sp.carried
	sp.carried = 0
	if count == 0 || s.fidelity(probes.SYNDrop, probes.FactDrops) != model.Unknown {
		return
	}
	s.pending = append(s.pending, unplaced(ino, ts, count))
}

func (sp *space) event(ino uint32, ts int64) event.Event {
	values := sp.now
	return event.Event{TS: ts, Kind: event.NetNS, NetNS: ino, Space: &values, Has: sp.have.Or(event.MaskOf(event.FieldNetNS))}
}

// counted are the counters of /proc/net/netstat that an event has.
var counted = []struct {
	name  string
	field event.Field
	at    func(*event.Space) *uint64
}{
	{"ListenOverflows", event.FieldListenOverflows, func(s *event.Space) *uint64 { return &s.ListenOverflows }},
	{"ListenDrops", event.FieldListenDrops, func(s *event.Space) *uint64 { return &s.ListenDrops }},
	{"TCPReqQFullDrop", event.FieldReqQFullDrop, func(s *event.Space) *uint64 { return &s.ReqQFullDrop }},
	{"TCPReqQFullDoCookies", event.FieldReqQFullDoCookies, func(s *event.Space) *uint64 { return &s.ReqQFullDoCookies }},
	{"SyncookiesSent", event.FieldSyncookiesSent, func(s *event.Space) *uint64 { return &s.SyncookiesSent }},
	{"SyncookiesRecv", event.FieldSyncookiesRecv, func(s *event.Space) *uint64 { return &s.SyncookiesRecv }},
	{"SyncookiesFailed", event.FieldSyncookiesFailed, func(s *event.Space) *uint64 { return &s.SyncookiesFailed }},
	{"EmbryonicRsts", event.FieldEmbryonicRsts, func(s *event.Space) *uint64 { return &s.EmbryonicRsts }},
}

// count takes the present counters. They never fall: with fewer it is another namespace, which got the number of one that
// is gone.
func (sp *space) count(now *event.Space) {
	for _, c := range counted {
		if *c.at(now) < *c.at(&sp.read) {
			sp.base = event.Space{}
			sp.refused, sp.syns, sp.acks, sp.ended, sp.carried, sp.others = 0, 0, 0, 0, 0, others{}
			break
		}
	}
	sp.read = *now
	for _, c := range counted {
		*c.at(&sp.now) = *c.at(now) - min(*c.at(now), *c.at(&sp.base))
		sp.have.Add(c.field)
	}
}

// counters reads the counters of a namespace. A file below /proc/PID/net is that of the process's namespace; through a
// mount the namespace has to be entered.
func counters(path string) (event.Space, error) {
	if dir, ok := strings.CutSuffix(path, "/ns/net"); ok {
		text, err := os.ReadFile(filepath.Join(dir, "net/netstat"))
		return parseNetstat(text), err
	}
	var text []byte
	err := inSpace(path, func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/netstat")
		return err
	})
	return parseNetstat(text), err
}

// inSpace does something in the network namespace that a path leads into, on a thread of its own, which ends with it.
func inSpace(path string, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is not used again
		f, err := os.Open(path)
		if err != nil {
			done <- err
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter %s: %w", path, err)
			return
		}
		done <- do()
	}()
	return <-done
}

// parseNetstat finds the counters by their names: each group is a line of names and a line of values. What is missing
// stays 0.
func parseNetstat(text []byte) event.Space {
	var out event.Space
	var names []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(names) == 0 || len(words) != len(names) || words[0] != names[0] {
			names = words
			continue
		}
		for i, name := range names {
			for _, c := range counted {
				if c.name != name {
					continue
				}
				if n, err := strconv.ParseUint(words[i], 10, 64); err == nil {
					*c.at(&out) = n
				}
			}
		}
		names = nil
	}
	return out
}
