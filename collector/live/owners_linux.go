// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf/link"
)

// findHeirs looks for the processes that listeners belong to now whose own has ended: as that does which starts a server
// that goes into the background by itself.
func (s *Session) findHeirs(all []sampled) {
	var owners map[uint64]*bpf.KernelOwner
	for i := range all {
		st := all[i].state
		if st.pid == 0 || !ended(st.pid) {
			continue
		}
		if owners == nil {
			owners = s.owners()
		}
		st.heir, st.pid = owners[all[i].event.Conn], 0
		if st.heir != nil { // else it is under way to another process
			st.pid = st.heir.Pid
		}
	}
}

// ended reports whether the process has ended, also if nobody has waited for it yet.
func ended(pid uint32) bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return os.IsNotExist(err)
}

// owners finds the process that holds each socket. Of several (a pre-fork server) it is the first, unless only a later one
// is watched.
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
		if first := out[o.Conn]; first == nil || first.Watched == 0 && o.Watched != 0 {
			out[o.Conn] = o
		}
	}
	return out
}

// setOwner names the process; which of its threads opened the socket is not known.
func (s *Session) setOwner(e *event.Event, o *bpf.KernelOwner) {
	e.PID, e.Comm = o.Pid, s.decoder.name(o.Comm)
	e.Has = e.Has.AndNot(event.MaskOf(event.FieldTID))
	e.Set(event.FieldPID, event.FieldComm)
}
