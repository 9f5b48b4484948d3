// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"

	"github.com/cilium/ebpf"
)

// longestSilence is how old the numbers of a thread may become that does nothing: it is told of ever more rarely.
const longestSilence = 8 * time.Second

// batch is how many threads are read with one system call.
const batch = 256

// threadReader reads what the scheduler's programs have added up.
type threadReader struct {
	seen    map[uint32]*threadSeen // by tid
	round   uint64
	sampled int64
	quotas  map[uint32]quota // by process
	tids    []uint32
	values  []bpf.KernelThread
}

// threadSeen is what was last told of a thread.
type threadSeen struct {
	since uint64 // its last change
	told  int64
	pause int64 // how long nothing is told while nothing changes
	round uint64
}

// sampleThreads queues an event for each thread that did something since the last one; all: for every thread.
func (s *Session) sampleThreads(all bool) {
	r := &s.threads
	if r.seen == nil {
		r.seen = map[uint32]*threadSeen{}
		r.tids, r.values = make([]uint32, batch), make([]bpf.KernelThread, batch)
	}
	r.round++
	m := s.maps[bpf.KernelMapThreads]
	var cursor ebpf.MapBatchCursor
	for {
		now := monotonic() // before the reading: the state that is read has lasted since then, or began later
		n, err := m.BatchLookup(&cursor, r.tids, r.values, nil)
		for i := range n {
			s.sampleThread(m, r.tids[i], &r.values[i], now, all)
		}
		if err != nil { // the end, or a kernel that cannot: then nothing is told
			break
		}
	}
	for tid, seen := range r.seen {
		if seen.round != r.round {
			delete(r.seen, tid)
		}
	}
}

func (s *Session) sampleThread(m *ebpf.Map, tid uint32, t *bpf.KernelThread, now int64, all bool) {
	for tries := 0; !whole(t); tries++ { // a program was writing it
		if now = monotonic(); tries == 3 || m.Lookup(tid, t) != nil {
			return
		}
	}
	seen := s.threads.seen[tid]
	if seen == nil {
		seen = &threadSeen{}
		s.threads.seen[tid] = seen
	}
	seen.round = s.threads.round
	now = max(now, int64(t.Since), int64(t.Accepted))
	if t.Since != seen.since {
		seen.since, seen.pause = t.Since, 0
	} else if !all && now-seen.told < seen.pause {
		return
	}
	silent := seen.pause == int64(longestSilence)
	seen.told = now
	seen.pause = min(2*seen.pause+int64(samplePeriod), int64(longestSilence))
	proceed(t, uint64(now))
	e := event.Event{Kind: event.Thread, TS: now}
	s.decoder.thread(tid, t, &e)
	s.putCPUs(&e)
	if silent && !lives(tid) { // its end was a run that the kernel left out
		m.Delete(tid)
		e.Phase = event.PhaseEnd
		e.Set(event.FieldPhase)
	}
	s.pending = append(s.pending, e)
}

// lives reports whether there is a thread of that number.
func lives(tid uint32) bool {
	_, err := os.Stat("/proc/" + strconv.FormatUint(uint64(tid), 10))
	return !errors.Is(err, fs.ErrNotExist)
}

// whole reports whether the numbers of a thread were read while no program was changing them, or just making it.
func whole(t *bpf.KernelThread) bool {
	sum := t.First + t.Running + t.Runqueue
	for _, ns := range t.Blocked {
		sum += ns
	}
	return t.Pid != 0 && sum == t.Since && t.Begun == t.Done
}

// proceed adds the time that a thread has been in its present state.
func proceed(t *bpf.KernelThread, now uint64) {
	ns := now - t.Since
	switch bpf.KernelThreadState(t.State) {
	case bpf.KernelThreadStateTHREAD_RUNNING:
		t.Running += ns
	case bpf.KernelThreadStateTHREAD_RUNQUEUE:
		t.Runqueue += ns
	case bpf.KernelThreadStateTHREAD_BLOCKED:
		t.Blocked[int(t.Slot)%len(t.Blocked)] += ns
	default:
		return
	}
	t.Since = now
}

// thread fills in what a thread did.
func (d *decoder) thread(tid uint32, t *bpf.KernelThread, e *event.Event) {
	e.PID, e.TID, e.Comm = t.Pid, tid, d.name(t.Comm)
	e.Set(event.FieldPID, event.FieldTID, event.FieldComm)
	e.Forget(event.FieldCPU)
	if t.Cpu != noCPU {
		e.CPU = t.Cpu
		e.Set(event.FieldCPU)
	}
	e.Thread = &event.ThreadTimes{
		WatchedNS: int64(t.Since - t.First), RunningNS: int64(t.Running), RunqueueNS: int64(t.Runqueue),
		BlockedNS: map[string]int64{}, Switches: t.Switches, Migrations: t.Migrations, Syscalls: t.Calls,
	}
	if e.Forget(event.FieldSyscalls); d.countsCalls {
		e.Set(event.FieldSyscalls)
	}
	for i, ns := range t.Blocked {
		if ns > 0 {
			e.Thread.BlockedNS[d.waitName(t.What[i])] += int64(ns)
		}
	}
	e.Set(event.FieldWatchedNS, event.FieldRunningNS, event.FieldRunqueueNS, event.FieldBlockedNS, event.FieldSwitches, event.FieldMigrations)
	if t.Accepted != 0 || t.Gaps > 0 {
		d.gaps(t, e)
	}
}

// gaps fills in what a thread did from one accept to the next.
func (d *decoder) gaps(t *bpf.KernelThread, e *event.Event) {
	e.Thread.Gaps, e.Thread.PartGapsNS, e.Thread.InGapsNS = t.Gaps, int64(t.PartNs), map[string]int64{}
	for i, ns := range t.InGaps {
		name := event.RunningPart
		switch {
		case i == 1:
			name = event.RunqueuePart
		case i > 1:
			name = d.waitName(t.What[i-2])
		}
		if ns > 0 {
			e.Thread.InGapsNS[name] += int64(ns)
		}
	}
	e.Set(event.FieldGaps, event.FieldInGapsNS, event.FieldPartGapsNS)
}

const noCPU = 1<<32 - 1 // NO_CPU in event.h

// ended decodes the record of a thread's end.
func (d *decoder) ended(r *bpf.KernelThreadEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind, e.Phase = event.Thread, event.PhaseEnd
	d.thread(r.E.Tid, &r.T, e)
	e.Set(event.FieldPhase)
	return true
}
