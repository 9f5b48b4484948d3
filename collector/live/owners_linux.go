// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf/link"
)

// ownersPerSecond is how many listeners' owners are looked at each second: one takes 10 to 30 µs.
const ownersPerSecond = 64

// searchShare bounds what the search through all open files of all processes takes: one part in so many of the time.
const searchShare = 100

// searchTries is how often a socket is searched for that no process has open: it is under way to another process, or only
// the kernel has it.
const searchTries = 10

// ownership is which process a listener belongs to.
type ownership struct {
	pid   uint32           // 0: not known
	heir  *bpf.KernelOwner // it, if it is not the one that called listen, or has another name now
	at    string           // where the process has it open: a link in /proc; empty: not looked for yet
	link  string           // what that link says
	tries int              // searches in vain
}

// found takes the process that has it open.
func (w *ownership) found(o *bpf.KernelOwner) {
	w.pid, w.tries = o.Pid, 0
	w.at = fmt.Sprintf("/proc/%d/fd/%d", o.Pid, o.Fd)
	w.link, _ = os.Readlink(w.at)
}

// holds reports whether the process still has it open there.
func (w *ownership) holds() bool {
	link, err := os.Readlink(w.at)
	return err == nil && link == w.link
}

// rename follows the process when it takes another name, as it does in exec. known: by which it went so far.
func (w *ownership) rename(conn uint64, known string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", w.pid))
	name := strings.TrimSuffix(string(text), "\n")
	if err != nil || name == known {
		return
	}
	w.heir = &bpf.KernelOwner{Conn: conn, Pid: w.pid}
	copy(w.heir.Comm[:], name)
}

// findHeirs looks for the processes that listeners belong to now where their own has given them away: it has ended, as
// that does which starts a server that goes into the background by itself, or closed them.
func (s *Session) findHeirs(all []sampled) {
	var lost []*sampled
	for n := range min(len(all), ownersPerSecond) {
		l := &all[(s.ownersTurn+n)%len(all)]
		switch st := l.state; {
		case st.pid == 0:
		case !st.holds():
			lost = append(lost, l)
		default:
			s.nameOwner(l)
		}
	}
	s.ownersTurn += ownersPerSecond
	begun := monotonic()
	if len(lost) == 0 || begun < s.ownersDue {
		return
	}
	owners := s.owners()
	s.ownersDue = begun + searchShare*(monotonic()-begun)
	for _, l := range lost {
		st, o := l.state, owners[l.event.Conn]
		if o == nil {
			if st.tries++; st.tries >= searchTries {
				st.pid = 0
			}
			continue
		}
		if o.Pid != st.pid {
			st.heir = o
		}
		st.found(o)
		s.nameOwner(l)
	}
}

// nameOwner names in a listener's sample the process that has it now, by the name that the process has now.
func (s *Session) nameOwner(l *sampled) {
	s.setHeir(&l.event, l.state)
	l.state.rename(l.event.Conn, l.event.Comm)
	s.setHeir(&l.event, l.state)
}

// setHeir names the listener's owner in an event of it: the kernel programs know who called listen.
func (s *Session) setHeir(e *event.Event, st *listenerState) {
	if st.heir != nil {
		s.setOwner(e, st.heir)
	}
}

// owners finds the process that holds each socket. Of several (a pre-fork server) it is the one that it belongs to already,
// else the first, unless only a later one is watched.
func (s *Session) owners() map[uint64]*bpf.KernelOwner {
	out := map[uint64]*bpf.KernelOwner{}
	a := s.hooks[probes.Owners]
	if a == nil {
		return out
	}
	raw, err := iterate(a.links[0].(*link.Iter).Open)
	if err != nil {
		return out
	}
	for size := int(unsafe.Sizeof(bpf.KernelOwner{})); len(raw) >= size; raw = raw[size:] {
		o := record[bpf.KernelOwner](raw)
		if o.Joins != 0 {
			s.chosen.joined[o.Conn] = true
		}
		if first := out[o.Conn]; first == nil || s.claims(o) > s.claims(first) {
			out[o.Conn] = o
		}
	}
	return out
}

// claims says how well a holder is entitled to a socket.
func (s *Session) claims(o *bpf.KernelOwner) int {
	if st := s.listeners[o.Conn]; st != nil && st.pid == o.Pid {
		return 2
	}
	return int(min(o.Watched, 1))
}

// setOwner names the process; which of its threads opened the socket is not known.
func (s *Session) setOwner(e *event.Event, o *bpf.KernelOwner) {
	e.PID, e.Comm = o.Pid, s.decoder.name(o.Comm)
	e.Has = e.Has.AndNot(event.MaskOf(event.FieldTID))
	e.Set(event.FieldPID, event.FieldComm)
}
