// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"beltrace/collector/model"
)

func findWorker(s *model.Snapshot, key Key) *model.Worker {
	for i := range s.Workers {
		if w := &s.Workers[i]; uint64(w.TID) == key.ID && fmt.Sprint(w.PID) == key.Name {
			return w
		}
	}
	return nil
}

func openWorker(in Input, w *model.Worker, width int) *Detail {
	state := w.Role
	if w.Ended.Known {
		state += ", ended " + in.clock().Time(w.Ended.V)
	}
	d := &Detail{Title: Line{{Clean(w.Comm) + " ", Strong}, {workerNumber(w), Normal}, {"  " + state, Dim}}}
	d.fact("thread", Span{fmt.Sprintf("%d of process %d", w.TID, w.PID), Normal})
	d.fact("accepts", Span{Count(w.Accepts), Strong})
	d.fact("requests", Span{optional(w.Exchanges, Count), Strong}, Span{"  answered by this thread", Dim})
	d.fact("CPU", Span{optional(w.CPU, func(n uint32) string { return fmt.Sprint(n) }), Normal}, Span{"  moved " + Plural(int(w.Migrations), "time", "times"), Dim})
	d.fact("switches", Span{Count(w.Switches), Normal}, Span{perSecond(w.Switches, w.WatchedNS), Dim})
	d.fact("watched", Span{"for " + Dur(w.WatchedNS), Normal})
	if did := in.Hist.did(w); did.WatchedNS != w.WatchedNS {
		timeSection(d, "THE LAST "+Dur(did.WatchedNS), did, width)
	}
	timeSection(d, "SINCE IT IS WATCHED", w.Times, width)
	listeners := false
	for i := range in.Snap.Listeners {
		l := &in.Snap.Listeners[i]
		for _, a := range l.Acceptors {
			if a.PID != w.PID || a.TID != w.TID {
				continue
			}
			if !listeners {
				d.section("ACCEPTS ON")
				listeners = true
			}
			d.link(Line{{pad(comm(l.Process)+" ", factName+1), Strong}, {l.Local, Normal}, {"  " + Count(a.Accepts) + " accepts", Dim}}, listenerKey(l))
		}
	}
	return d
}

func perSecond(n uint64, ns int64) string {
	if ns <= 0 {
		return ""
	}
	return "  " + Rate(float64(n)*1e9/float64(ns)) + "/s"
}

// timeSection lists the parts of a thread's time with their shares; they add up to all of it.
func timeSection(d *Detail, title string, t model.Times, width int) {
	d.section(title)
	parts := append([]part{{"running", t.RunningNS}, {"waiting for a CPU", t.RunqueueNS}}, blocks(t)...)
	for i, p := range parts {
		name := p.what
		if i > 1 {
			name = "blocked in " + Clean(p.what)
		}
		d.add(Line{{pad(head(name, 28), 29), Normal}, {fmt.Sprintf("%8s %7s ", Dur(p.ns), Share(share(p.ns, t))), Strong}, {Bar(share(p.ns, t), min(30, max(width-48, 10))), Accent}})
	}
}

// explainWorkerNow says what the thread does most.
func explainWorkerNow(in Input, w *model.Worker) string {
	did := in.Hist.did(w)
	text := fmt.Sprintf("In the last %s it ran for %s, waited for a CPU for %s, and slept the rest. ", Dur(did.WatchedNS), Share(share(did.RunningNS, did)), Share(share(did.RunqueueNS, did)))
	switch most := blocks(did); {
	case w.Ended.Known:
		return "This thread has ended (do_exit). " + explainWorkerTime
	case share(did.RunqueueNS, did) >= 0.1:
		return text + "It was runnable and had no CPU: other threads had it (__schedule chose them)."
	case share(did.RunningNS, did) >= 0.9:
		return text + "It computes without a pause: nothing else can be done by this thread."
	case len(most) > 0 && most[0].what == "throttled":
		return text + "Its cgroup has used up its CPU quota (cpu.max): it would run, and may not before the next period begins (throttle_cfs_rq, every 100 ms)."
	case len(most) > 0 && model.WaitsForWork(most[0].what):
		return text + "It waits in " + most[0].what + " most of the time: for work. That is as it should be."
	case len(most) > 0:
		return text + "Most of its sleep is in " + Clean(most[0].what) + ": while it is there, it can neither accept nor answer."
	}
	return text
}
