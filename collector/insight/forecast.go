// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"math"
	"time"

	"beltrace/collector/model"
)

// ahead is how far a forecast looks: beyond it the rates will be others.
const ahead = 60.0

// acceptQueueFilling is a forecast: at the present rates the accept queue will be full, or it settles below.
var acceptQueueFilling = rule{
	id:        "accept-queue-filling",
	foretells: acceptQueueFull.id,
	hold:      time.Second,
	mechanism: "More connections come out of handshakes (inet_csk_complete_hashdance) than accept() takes away (inet_csk_accept), so the queue grows by the difference. " +
		"Where it settles, its length is the arrivals per second times the wait of each (Little's law). With a backlog of N it holds N+1; then the kernel refuses.",
	listener: func(l *listener) *evidence {
		t, ok := l.trend()
		if !ok {
			return nil
		}
		e := &evidence{severity: model.Note, numbers: l.queueNumbers(), remedy: l.remedy(), weight: -t.last} // of one that has ended the first is kept: it came true or not
		e.numbers["arrivals_per_s"], e.numbers["accepts_per_s"] = t.in, t.out
		left := float64(l.Backlog.V) + 1 - t.last
		switch settles := t.settles(); {
		case t.steady() && t.out > 0:
			e.text = fmt.Sprintf("the accept queue stays at about %.0f, the backlog is %d: %s/s come and go, and each waits for about %s (Little's law)", t.mean, l.Backlog.V, digits(t.out), dur(int64(t.mean/t.out*1e9)))
			e.numbers["settles_at"] = t.mean
		case !t.grows():
			return nil
		case settles > 0 && settles <= float64(l.Backlog.V):
			how := fmt.Sprintf("but ever more slowly: by %.0f, then by %.0f in %s each", t.early, t.late, dur(int64(t.half*1e9)))
			e.text = fmt.Sprintf("the accept queue settles at about %.0f, the backlog is %d: it grows, %s", settles, l.Backlog.V, how)
			e.then = fmt.Sprintf("the accept queue was to settle at about %.0f, the backlog is %d: it grew, %s", settles, l.Backlog.V, how)
			e.numbers["settles_at"] = settles
		case l.within(left*t.half/t.late, ahead):
			e.severity = model.Warning
			in, arrive, leave := left*t.half/t.late, digits(t.in), digits(t.out)
			e.text = fmt.Sprintf("the accept queue is full in %s at the present rates: %.0f wait, the backlog is %d; %s/s arrive, %s/s are accepted", dur(int64(in*1e9)), t.last, l.Backlog.V, arrive, leave)
			e.then = fmt.Sprintf("the accept queue was to be full in %s at the rates of then: %.0f waited, the backlog is %d; %s/s arrived, %s/s were accepted", dur(int64(in*1e9)), t.last, l.Backlog.V, arrive, leave)
			e.numbers["full_in_s"] = in
		default:
			return nil
		}
		return e
	},
}

// trend is how the accept queue's length changed in the last seconds.
type trend struct {
	standing
	first, last float64
	early, late float64 // by how much it changed in the first and in the second half
	mean        float64
	drift       float64 // by how much longer it was in the second half, on average
	least, most float64
	fell        float64 // by how much it was shorter at some time than it had been before, at most
	half        float64 // s
	in, out     float64 // connections a second
	limit       float64
}

// trend needs lengths over two seconds at least, and a queue that is not nearly empty.
func (l *listener) trend() (t trend, ok bool) {
	limit := float64(l.Backlog.V) + 1
	if l.State == model.StateClosed || !l.Backlog.Known || !l.reaches(float64(l.now.depth.V), max(3, limit/20)) {
		return t, false
	}
	var seen []*mark
	for m := range l.recent(window) {
		if m.depth.Known {
			seen = append(seen, m)
		}
	}
	if l.now.ts-seen[0].ts < int64(2*time.Second) {
		return t, false
	}
	for _, m := range seen {
		if m.depth.V > l.Backlog.V || m.full < l.now.full {
			return t, false // it was full: accept-queue-full says so
		}
	}
	return l.trendOf(seen), true
}

// trendOf is the trend of a queue of which these lengths were seen, oldest first.
func (l *listener) trendOf(seen []*mark) trend {
	first, middle := seen[0], seen[len(seen)/2]
	t := trend{
		standing: l.standing,
		first:    float64(first.depth.V), last: float64(l.now.depth.V), limit: float64(l.Backlog.V) + 1, least: float64(first.depth.V),
		early: float64(middle.depth.V) - float64(first.depth.V), late: float64(l.now.depth.V) - float64(middle.depth.V),
		half: float64(l.now.ts-first.ts) / 2e9,
		in:   l.rate(first.established, l.now.established, first.ts), out: l.rate(first.accepted, l.now.accepted, first.ts),
	}
	t.mean, t.drift = mean(seen), mean(seen[len(seen)/2:])-mean(seen[:len(seen)/2])
	for _, m := range seen {
		d := float64(m.depth.V)
		t.least, t.most = min(t.least, d), max(t.most, d)
		t.fell = max(t.fell, t.most-d)
	}
	return t
}

// mean returns how long the queue was on average.
func mean(seen []*mark) (sum float64) {
	for _, m := range seen {
		sum += float64(m.depth.V) / float64(len(seen))
	}
	return sum
}

// grows reports whether it grew in both halves, by more than chance, and hardly became shorter in between.
func (t *trend) grows() bool {
	return t.early > 0 && t.late > 0 && t.reaches(t.early+t.late, max(3, t.limit/50)) && t.within(t.fell, (t.early+t.late)/2)
}

// steady reports whether it hardly changed, at a length that is worth a word. In what stands it may swing further, but not go.
func (t *trend) steady() bool {
	small := max(1, t.mean/10)
	return t.reaches(t.mean, max(3, t.limit/4)) && t.within(t.mean-t.least, small) && t.within(t.most-t.mean, small) &&
		math.Abs(t.drift) <= small
}

// settles returns where a growth that becomes slower at the present pace comes to rest; 0: it does not.
func (t *trend) settles() float64 {
	pace := t.late / t.early
	if t.early <= 0 || t.late < 0 || pace > 0.6 {
		return 0
	}
	return t.last + t.late*pace/(1-pace)
}
