// SPDX-License-Identifier: Apache-2.0

package live

import (
	"strconv"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// loopReader reads what the programs have added up of event loops.
type loopReader struct {
	seen   map[bpf.KernelLoopKey]*loopSeen
	dead   map[uint32]bool // threads that were found to have ended in this round
	round  uint64
	keys   []bpf.KernelLoopKey
	values []bpf.KernelLoop
	epoll  instances
	sockfs uint64 // device number of sockets' inodes, as fdinfo writes it; 0: not known
}

// loopSeen is what was last told of a loop.
type loopSeen struct {
	changes  uint32
	control  uint64 // how often epoll_ctl changed its instance
	told     int64
	pause    int64 // how long nothing is told while nothing changes
	round    uint64
	interest interest
}

// beginLoops lets the hooks add loops that they meet, and adds those that wait.
func (s *Session) beginLoops() {
	s.loader.variables["spurious_on"].Set(!s.meetsSleeps())
	s.loader.variables["loops_on"].Set(true)
	s.seedLoops()
	s.loader.variables["loops_seeded"].Set(true)
}

// meetsSleeps reports whether the hooks at waits meet the sleeps of their threads themselves; else the scheduler's do.
func (s *Session) meetsSleeps() bool {
	a := s.hooks[probes.Epoll]
	return a != nil && a.hook.How == probes.TPBTF
}

// seedLoops lets the iterator add the loops that wait and are not watched yet.
func (s *Session) seedLoops() { s.hooks[probes.Epoll].iterate() }

// endLoops queues the last numbers of all loops and forgets them.
func (s *Session) endLoops() {
	s.loader.variables["loops_seeded"].Set(false)
	s.loader.variables["spurious_on"].Set(false)
	s.loader.variables["loops_on"].Set(false)
	s.sampleLoops(true)
	for key := range s.loops.seen {
		s.maps[bpf.KernelMapLoops].Delete(key)
	}
	clear(s.loops.seen)
	s.forgetInstances()
	for _, name := range []string{bpf.KernelMapLoopThreads, bpf.KernelMapLoopLists} {
		for _, tid := range tidsOf(s.maps[name]) {
			s.maps[name].Delete(tid)
		}
	}
}

// tidsOf lists the keys of a map by thread.
func tidsOf(m *ebpf.Map) []uint32 {
	var out []uint32
	var tid uint32
	for err := m.NextKey(nil, &tid); err == nil; err = m.NextKey(tid, &tid) {
		out = append(out, tid)
	}
	return out
}

// forgetThread forgets what is kept of a thread that has ended.
func (s *Session) forgetThread(tid uint32) {
	s.maps[bpf.KernelMapLoopThreads].Delete(tid)
	s.maps[bpf.KernelMapLoopLists].Delete(tid)
}

// sampleLoops queues an event for each loop that did something since the last one; all: for every loop.
func (s *Session) sampleLoops(all bool) {
	r := &s.loops
	if r.seen == nil {
		r.seen, r.dead = map[bpf.KernelLoopKey]*loopSeen{}, map[uint32]bool{}
		r.sockfs = socketDevice()
		r.keys, r.values = make([]bpf.KernelLoopKey, batch), make([]bpf.KernelLoop, batch)
	}
	r.round++
	s.readInstances()
	m := s.maps[bpf.KernelMapLoops]
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookup(&cursor, r.keys, r.values, nil)
		for i := range n {
			s.sampleLoop(m, r.keys[i], &r.values[i], all)
		}
		if err != nil { // the end, or a kernel that cannot: then nothing is told
			break
		}
	}
	for tid := range r.dead { // after all of its loops
		s.forgetThread(tid)
	}
	clear(r.dead)
	s.sweepInstances()
	for key, seen := range r.seen {
		if seen.round != r.round {
			delete(r.seen, key)
		}
	}
}

func (s *Session) sampleLoop(m *ebpf.Map, key bpf.KernelLoopKey, l *bpf.KernelLoop, all bool) {
	if !wholeLoop(m, key, l) {
		return
	}
	now := max(monotonic(), int64(max(l.Entered, l.Returned)))
	seen := s.loops.seen[key]
	if seen == nil {
		seen = &loopSeen{}
		s.loops.seen[key] = seen
	}
	seen.round = s.loops.round
	control := s.loops.epoll.use(l.Ep)
	if l.Done != seen.changes || control != seen.control {
		seen.changes, seen.control, seen.pause = l.Done, control, 0
	} else if !all && now-seen.told < seen.pause {
		return
	}
	seen.told = now
	seen.pause = min(2*seen.pause+int64(samplePeriod), int64(longestSilence))
	e := event.Event{Kind: event.Loop, TS: now}
	dead := !lives(key.Tid)
	if !seen.interest.read(s, key, l.Pid, now) || dead {
		if m.Lookup(key, l) == nil { // it may have waited since it was read: nobody reads it again
			wholeLoop(m, key, l)
		}
		now = monotonic()
		e.TS = now
		m.Delete(key)
		if dead {
			s.loops.dead[key.Tid] = true
		}
		e.Phase = event.PhaseEnd
		e.Set(event.FieldPhase)
		l.Entered, l.Returned = 0, 0 // when it ended is not known
	}
	s.decoder.loop(key, l, uint64(now), &e)
	if s.meetsSleeps() || s.demands[probes.Sched].on {
		e.Loop.Spurious = l.Spurious
		e.Set(event.FieldSpurious)
	}
	seen.interest.put(&e)
	s.loops.epoll.put(l.Ep, &e)
	s.pending = append(s.pending, e)
}

// wholeLoop reads a loop's numbers again while a program was writing them. False: they are not whole.
func wholeLoop(m *ebpf.Map, key bpf.KernelLoopKey, l *bpf.KernelLoop) bool {
	for tries := 0; l.Begun != l.Done; tries++ {
		if tries == 3 || m.Lookup(key, l) != nil {
			return false
		}
	}
	return true
}

// loop fills in what a loop found.
func (d *decoder) loop(key bpf.KernelLoopKey, l *bpf.KernelLoop, now uint64, e *event.Event) {
	e.PID, e.TID, e.Comm = l.Pid, key.Tid, d.name(l.Comm)
	e.Set(event.FieldPID, event.FieldTID, event.FieldComm)
	e.Loop = &event.LoopTimes{
		Waits: l.Waits, Empty: l.Empty, Polls: l.Polls, Failed: l.Failed, Most: l.Most, Max: l.Max,
		InsideNS: int64(l.Blocked), BusyNS: int64(l.Busy), Wakeups: wakeups(&l.Ready),
	}
	switch { // the time since the last change
	case l.Entered != 0:
		e.Loop.InsideNS += int64(now - l.Entered)
	case l.Returned != 0:
		e.Loop.BusyNS += int64(now - l.Returned)
	}
	e.Thread = &event.ThreadTimes{WatchedNS: int64(now - l.Since)}
	e.Set(event.FieldWaits, event.FieldEmpty, event.FieldPolls, event.FieldFailed, event.FieldMost, event.FieldInsideNS,
		event.FieldBusyNS, event.FieldWakeups, event.FieldWatchedNS)
	if l.Max != 0 {
		e.Set(event.FieldMax)
	}
	d.loopKey(key.Fd, e)
}

// wakeups names the buckets of what was ready, without that of nothing.
func wakeups(ready *[40]uint32) map[string]int64 {
	const exact = 32 // READY_EXACT in loop.h
	out := map[string]int64{}
	for i, n := range ready {
		at := i
		if i > exact {
			at = exact << (i - exact)
		}
		if n > 0 && i > 0 {
			out[strconv.Itoa(at)] = int64(n)
		}
	}
	return out
}

// loopKey says which loop of its thread it is.
func (d *decoder) loopKey(fd int32, e *event.Event) {
	if e.Loop == nil {
		e.Loop = &event.LoopTimes{}
	}
	switch bpf.KernelLoopKind(-fd) {
	case bpf.KernelLoopKindLOOP_POLL:
		e.Loop.LoopKind = event.LoopPoll
	case bpf.KernelLoopKindLOOP_SELECT:
		e.Loop.LoopKind = event.LoopSelect
	default:
		e.Loop.LoopKind, e.Loop.EpFD = event.LoopEpoll, fd
		e.Set(event.FieldEpFD)
	}
	e.Set(event.FieldLoopKind)
}

// wait reads the record of a wait.
func (d *decoder) wait(r *bpf.KernelWaitEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = event.EpollWait
	e.Loop = &event.LoopTimes{EpFD: r.Fd, Max: r.Max, TimeoutMS: r.TimeoutMs, InsideNS: int64(r.Blocked), BusyNS: int64(r.Busy)}
	e.Set(event.FieldEpFD)
	if r.Max != 0 { // 0: it began before we watched
		e.Set(event.FieldMax)
	}
	if r.Ret >= 0 {
		e.Loop.Ready = uint32(r.Ret)
		e.Set(event.FieldReady)
	} else {
		e.Errno = -r.Ret
		e.Set(event.FieldErrno)
	}
	for _, k := range []struct {
		knows bpf.KernelWaitKnows
		f     event.Field
	}{
		{bpf.KernelWaitKnowsKNOWS_BLOCKED, event.FieldInsideNS}, {bpf.KernelWaitKnowsKNOWS_BUSY, event.FieldBusyNS},
		{bpf.KernelWaitKnowsKNOWS_TIMEOUT, event.FieldTimeoutMS},
	} {
		if bpf.KernelWaitKnows(r.Knows)&k.knows != 0 {
			e.Set(k.f)
		}
	}
	return true
}

// stall reads the record of a sleep between two waits.
func (d *decoder) stall(r *bpf.KernelStallEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = event.LoopBlocked
	e.Turn = &event.Moves{OffNS: int64(r.OffNs), On: d.waitName(r.What)}
	d.loopKey(r.Fd, e)
	e.Loop.Ready, e.Loop.BusyNS, e.Count = r.Behind, int64(r.Busy), uint64(r.Times)
	e.Set(event.FieldOffNS, event.FieldOn, event.FieldReady, event.FieldBusyNS, event.FieldCount)
	return true
}

// socketDevice asks for the device number of sockets' inodes; 0 if it is not known.
func socketDevice() uint64 {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || unix.Major(st.Dev) != 0 { // sockfs has no device
		return 0
	}
	return uint64(unix.Minor(st.Dev))
}
