// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// thread names a thread; the kernel gives a number again when its thread has ended.
type thread struct{ pid, tid uint32 }

// worker is what is known about a thread that serves.
type worker struct {
	thread
	comm    string
	accepts uint64
	answers uint64             // requests that it answered
	told    int64              // when times were told
	last    int64              // when anything was
	times   *event.ThreadTimes // never changed; nil: its scheduling is not watched
	cpu     latest[uint32]
	calls   model.Opt[uint64]
	allowed *cpuSet // CPUs that it may use; nil: not known
	quota   model.Opt[float64]
	ended   bool

	paced paced
}

// thread takes what a thread did so far.
func (c *Collector) thread(e *event.Event) {
	w := c.workerOf(e)
	if w == nil || e.Thread == nil || e.TS < w.told {
		return
	}
	w.tellPace(e.Thread, e.TS, c.opt.Start)
	w.told, w.times = e.TS, e.Thread
	w.calls = model.Opt[uint64]{V: e.Thread.Syscalls, Known: e.Known(event.FieldSyscalls)}
	if e.Known(event.FieldCPUsAllowed) {
		w.allowed = c.cpusOf(e.Thread.CPUsAllowed)
	}
	w.quota = model.Opt[float64]{V: e.Thread.CPUQuota, Known: e.Known(event.FieldCPUQuota)}
	w.ended = e.Known(event.FieldPhase) && e.Phase == event.PhaseEnd
	if e.Known(event.FieldCPU) {
		w.cpu.set(e.CPU, e.TS)
	}
}

// acceptedBy counts an accept for the thread that called it, and returns that; nil: it is not known.
func (c *Collector) acceptedBy(e *event.Event) *worker {
	w := c.workerOf(e)
	if w != nil {
		w.accepts++
		w.ended = false
	}
	return w
}

// workerOf returns the record of the thread that an event names, nil if it names none.
func (c *Collector) workerOf(e *event.Event) *worker {
	if !e.Known(event.FieldPID) || !e.Known(event.FieldTID) {
		return nil
	}
	id := thread{e.PID, e.TID}
	w := c.workers[id]
	if w == nil {
		w = &worker{thread: id}
		c.workers[id] = w
		c.dismiss()
	}
	w.last = max(w.last, e.TS)
	if e.Known(event.FieldComm) {
		w.comm = e.Comm
	}
	return w
}

// dismiss forgets a quarter of the threads when there are too many: those that ended first, then those that nothing was
// heard of for longest.
func (c *Collector) dismiss() {
	if len(c.workers) <= c.budget.Workers {
		return
	}
	all := make([]*worker, 0, len(c.workers))
	for _, w := range c.workers {
		if w.last != 0 { // it is just being made
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b *worker) int {
		return cmp.Or(compareBool(b.ended, a.ended), cmp.Compare(a.last, b.last), cmp.Compare(a.tid, b.tid))
	})
	for _, w := range all[:min(len(all), c.budget.Workers/4+1)] {
		delete(c.workers, w.thread)
		if !w.ended {
			c.lose("evicted", 1)
		}
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// listWorkers returns the threads whose scheduling is or was watched, by process and thread.
func (c *Collector) listWorkers() []model.Worker {
	out := []model.Worker{}
	for _, w := range c.workers {
		if w.times != nil {
			out = append(out, w.show(c.bytes))
		}
	}
	slices.SortFunc(out, func(a, b model.Worker) int { return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID)) })
	return out
}

// show makes its row; bytes: requests are watched.
func (w *worker) show(bytes bool) model.Worker {
	return model.Worker{
		PID: w.pid, TID: w.tid, Comm: w.comm, Role: w.role(), Accepts: w.accepts, Exchanges: opt(bytes, w.answers), Times: timesOf(w.times),
		Switches: w.times.Switches, Migrations: w.times.Migrations, Calls: w.calls, CPU: w.cpu.opt(), Ended: opt(w.ended, w.told),
	}
}

func timesOf(t *event.ThreadTimes) model.Times {
	return model.Times{WatchedNS: t.WatchedNS, RunningNS: t.RunningNS, RunqueueNS: t.RunqueueNS, BlockedNS: t.BlockedNS}
}

// between returns what a thread that accepts did, if its scheduling is watched.
func (c *Collector) between(pid, tid uint32) model.Opt[model.Times] {
	w := c.workers[thread{pid, tid}]
	if w == nil || w.times == nil {
		return model.Opt[model.Times]{}
	}
	return model.Some(timesOf(w.times))
}

// role says what a thread is by what it does: it takes connections, or it waits for many sockets at once, or it works.
func (w *worker) role() string {
	var all, loop, accept int64
	for what, ns := range w.times.BlockedNS {
		all += ns
		switch {
		case model.WaitsForMany(what):
			loop += ns
		case what == "accept" || what == "accept4":
			accept += ns
		}
	}
	switch {
	case w.accepts > 0 || 2*accept > all:
		return model.RoleAcceptor
	case 2*loop > all:
		return model.RoleLoop
	}
	return model.RoleWorker
}
