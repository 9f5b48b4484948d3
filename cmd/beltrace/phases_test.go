// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/demos"
	"beltrace/demos/recordings"
	"beltrace/internal/view"
)

// TestPhaseEvents opens each phase of each request of the recordings: the events that begin and end it are there, and as far
// from each other as the phase is long; what was slept in a phase is as much as it.
func TestPhaseEvents(t *testing.T) {
	phases, lanes := map[string]int{}, 0
	for _, d := range demos.All() {
		data, err := recordings.Of(d.Name)
		if err != nil {
			continue
		}
		_, s, _ := replayAll(t, data, nil)
		for i := range s.Exchanges {
			x := &s.Exchanges[i]
			for _, l := range view.Lanes(x) {
				lanes++
				if err := agrees(x, l); err != nil {
					t.Errorf("%s: thread %d in %s: %v\n%+v\n%+v", d.Name, l.TID, x.Summary, err, l, x)
				}
			}
			for phase, ns := range x.Phases {
				key := view.Key{Kind: view.PhaseRecord, ID: x.Conn, Name: fmt.Sprint(x.Number, " ", phase)}
				if ns == 0 || phase == "unobserved" || phase == "app.blocked:unknown" {
					continue
				}
				if _, ok := view.Open(view.Input{Snap: s}, key, 80); !ok {
					t.Fatalf("%s: %s of %s does not open", d.Name, phase, x.Summary)
				}
				phases[phase]++
				if err := lasts(x, phase, view.PhaseTimes(x, phase)); err != nil {
					t.Errorf("%s: %s of %s: %v\n%v\n%+v", d.Name, phase, x.Summary, err, x.Phases, x.Moments)
				}
			}
		}
	}
	for _, phase := range []string{"syn", "handshake", "accept_queue", "waiting", "wakeup", "runqueue", "read", "app.running", "write", "send"} {
		if phases[phase] == 0 {
			t.Errorf("no request with a phase %s", phase)
		}
	}
	if lanes == 0 {
		t.Error("nothing of what threads did")
	}
	t.Log(phases, lanes)
}

// agrees compares what a thread did that read and answered with the phases.
func agrees(x *model.Exchange, l *view.Lane) error {
	if x.Confidence != "thread" || !l.Read || !l.Wrote {
		return nil
	}
	slept := map[string]int64{}
	for _, p := range l.Parts {
		if p.Does == view.Blocked {
			slept[p.On] += p.To - p.From
		}
	}
	for phase, ns := range x.Phases {
		if on, ok := strings.CutPrefix(phase, "app.blocked:"); ok && on != "unknown" && slept[on] < ns {
			return fmt.Errorf("it was blocked in %s for %d, the phase is %d", on, slept[on], ns)
		}
	}
	if ran := x.Phases["app.running"]; l.RunningNS.Known && l.RunningNS.V < ran {
		return fmt.Errorf("it ran for %d, the phase is %d", l.RunningNS.V, ran)
	}
	return nil
}

// lasts compares the times of a phase's events with how long it took.
func lasts(x *model.Exchange, phase string, times []int64) error {
	if len(times) < 2 {
		return fmt.Errorf("events at %v", times)
	}
	from, to, ns := times[0], times[len(times)-1], x.Phases[phase]
	on, blocked := strings.CutPrefix(phase, "app.blocked:")
	switch {
	case blocked && slices.ContainsFunc(x.Moments.Sleeps, func(s model.Sleep) bool { return s.Cut }):
		var slept int64
		for _, s := range x.Moments.Sleeps {
			if s.Cut && s.On == on {
				slept += s.Runnable - s.From
			}
		}
		if slept < ns {
			return fmt.Errorf("slept for %d of %d", slept, ns)
		}
	case strings.HasPrefix(phase, "app.") || phase == "waiting":
		if to-from < ns {
			return fmt.Errorf("events within %d of %d", to-from, ns)
		}
	case to-from != ns:
		return fmt.Errorf("events within %d, it took %d", to-from, ns)
	}
	return nil
}
