// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"slices"
	"strconv"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
)

// readiedShown is how many of the descriptors that were ready an event of a loop lists.
const readiedShown = 64

// instances is what the programs have counted of epoll instances, as it was read last.
type instances struct {
	known   map[uint64]bpf.KernelInstance // by address
	used    map[uint64]bool               // those on which a loop waits
	control bool                          // what epoll_ctl does is seen
	ready   bool                          // what becomes ready is
	readied map[uint64][]readied
}

// readied is a descriptor that was ready.
type readied struct {
	fd    int32
	times uint64
	last  int64
}

// readInstances reads what is known of all instances.
func (s *Session) readInstances() {
	in := &s.loops.epoll
	in.known, in.used, in.readied = map[uint64]bpf.KernelInstance{}, map[uint64]bool{}, map[uint64][]readied{}
	in.control, in.ready = s.hooks[probes.EpollCtl] != nil, s.demands[probes.Readiness].on
	readAll(s.maps[bpf.KernelMapInstances], func(ep uint64, i bpf.KernelInstance) { in.known[ep] = i })
	if !in.ready {
		return
	}
	m := s.maps[bpf.KernelMapReadied]
	var strays []bpf.KernelReadyKey
	readAll(m, func(key bpf.KernelReadyKey, r bpf.KernelReadyCount) {
		if i, ok := in.known[key.Ep]; !ok || r.Last < i.Since { // of one that had the address before
			strays = append(strays, key)
		} else if r.Times > r.Base {
			in.readied[key.Ep] = append(in.readied[key.Ep], readied{key.Fd, r.Times - r.Base, int64(r.Last)})
		}
	})
	for _, key := range strays {
		m.Delete(key)
	}
}

// readAll reads a hash map, as much of it as the kernel hands out.
func readAll[K, V any](m *ebpf.Map, take func(K, V)) {
	keys, values := make([]K, batch), make([]V, batch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			take(keys[i], values[i])
		}
		if err != nil { // the end, or a kernel that cannot
			return
		}
	}
}

// use notes that a loop waits on an instance, and returns how often that was changed.
func (in *instances) use(ep uint64) uint64 {
	in.used[ep] = true
	i := in.known[ep]
	return i.Added + i.Modified + i.Removed
}

// put adds what is known of an instance to an event of a loop.
func (in *instances) put(ep uint64, e *event.Event) {
	i, ok := in.known[ep]
	if !ok {
		return
	}
	if in.control {
		e.Loop.Added, e.Loop.Modified, e.Loop.Removed = i.Added, i.Modified, i.Removed
		e.Set(event.FieldAdded, event.FieldModified, event.FieldRemoved)
	}
	if !in.ready {
		return
	}
	fds := in.readied[ep]
	slices.SortFunc(fds, func(a, b readied) int { return cmp.Or(cmp.Compare(b.times, a.times), cmp.Compare(a.fd, b.fd)) })
	e.Loop.Readied, e.Loop.ReadiedTS = map[string]int64{}, map[string]int64{}
	for _, r := range fds[:min(len(fds), readiedShown)] {
		name := strconv.Itoa(int(r.fd))
		e.Loop.Readied[name], e.Loop.ReadiedTS[name] = int64(r.times), r.last
	}
	e.Set(event.FieldReadied, event.FieldReadiedTS)
	if i.Partial == 0 {
		e.Loop.ReadiedFDs = uint32(len(fds))
		e.Set(event.FieldReadiedFDs)
	}
}

// sweepInstances forgets those on which no loop waits any more, and that were closed or whose process has ended.
func (s *Session) sweepInstances() {
	in := &s.loops.epoll
	for ep, i := range in.known {
		if !in.used[ep] && (i.Gone != 0 || !lives(i.Pid)) {
			s.maps[bpf.KernelMapInstances].Delete(ep)
		}
	}
}

// forgetInstances forgets all of them.
func (s *Session) forgetInstances() {
	m := s.maps[bpf.KernelMapInstances]
	var eps []uint64
	readAll(m, func(ep uint64, _ bpf.KernelInstance) { eps = append(eps, ep) })
	for _, ep := range eps {
		m.Delete(ep)
	}
	s.forgetReady()
}

// forgetReady forgets what was ready.
func (s *Session) forgetReady() {
	m := s.maps[bpf.KernelMapReadied]
	var keys []bpf.KernelReadyKey
	readAll(m, func(key bpf.KernelReadyKey, _ bpf.KernelReadyCount) { keys = append(keys, key) })
	for _, key := range keys {
		m.Delete(key)
	}
}
