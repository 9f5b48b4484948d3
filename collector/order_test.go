// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/event"
)

// slice is a source of given events that ends with err.
type slice struct {
	events []event.Event
	err    error
	closed bool
}

func (s *slice) Next(e *event.Event) error {
	if len(s.events) == 0 || s.closed {
		return s.err
	}
	*e, s.events = s.events[0], s.events[1:]
	return nil
}

func (s *slice) Close() error { s.closed = true; return nil }

// ev makes an event whose conn is its number in the test.
func ev(kind event.Kind, ts int64, cpu uint32, n uint64) event.Event {
	e := event.Event{Kind: kind, TS: ts, CPU: cpu, Conn: n}
	e.Set(event.FieldCPU, event.FieldConn)
	return e
}

func drain(t *testing.T, src event.Source) ([]string, error) {
	t.Helper()
	var out []string
	for {
		var e event.Event
		if err := src.Next(&e); err != nil {
			return out, err
		}
		if e.Kind == event.Lost {
			out = append(out, fmt.Sprintf("lost %s %d", e.Where, e.Count))
			continue
		}
		out = append(out, fmt.Sprintf("%d#%d", e.TS, e.Conn))
	}
}

func TestOrdered(t *testing.T) {
	const s = horizon
	c, w := event.Connect, event.Watermark
	old, queue := ev(event.Established, 1, 0, 9), ev(event.Queue, 1, 0, 8)
	old.PreExisting = true
	tests := []struct {
		name string
		in   []event.Event
		want []string
	}{
		{"nothing", nil, nil},
		{"sorted by time", []event.Event{ev(c, 3, 0, 1), ev(c, 1, 1, 2), ev(c, 2, 0, 3)}, []string{"1#2", "2#3", "3#1"}},
		{"equal times keep their order", []event.Event{ev(c, 1, 0, 1), ev(c, 1, 1, 2), ev(c, 1, 0, 3), ev(c, 0, 0, 4)}, []string{"0#4", "1#1", "1#2", "1#3"}},
		{"watermark releases what is older", []event.Event{ev(c, 5, 0, 1), ev(c, 4, 1, 2), ev(w, 5, 0, 0), ev(c, 5, 0, 3), ev(w, 9, 0, 0)}, []string{"4#2", "5#1", "5#3"}},
		{"late after its watermark", []event.Event{ev(c, 5, 0, 1), ev(w, 6, 0, 0), ev(c, 3, 1, 2), ev(c, 4, 1, 3), ev(c, 7, 0, 4), ev(w, 8, 0, 0)},
			[]string{"5#1", "3#2", "4#3", "lost order 2", "7#4"}},
		{"late at the end", []event.Event{ev(c, 5, 0, 1), ev(w, 6, 0, 0), ev(c, 3, 1, 2)}, []string{"5#1", "3#2", "lost order 1"}},
		{"after its watermark but in order", []event.Event{ev(c, 5, 0, 1), ev(w, 9, 0, 0), ev(c, 8, 1, 2), ev(w, 10, 0, 0)}, []string{"5#1", "8#2"}},
		{"a sample breaks nothing", []event.Event{ev(c, 5, 0, 1), ev(w, 6, 0, 0), queue}, []string{"5#1", "1#8"}},
		{"what existed before goes first", []event.Event{ev(c, 0, 0, 1), ev(c, 5, 0, 2), old, ev(w, 6, 0, 0)}, []string{"1#9", "0#1", "5#2"}},
		{"what existed before breaks nothing", []event.Event{ev(c, 5, 0, 1), ev(w, 6, 0, 0), old}, []string{"5#1", "1#9"}},
		{"no watermark: a second is held back", []event.Event{ev(c, s, 0, 1), ev(c, 0, 1, 2), ev(c, 2*s+1, 0, 3), ev(c, s-1, 1, 4)},
			[]string{"0#2", "1000000000#1", "999999999#4", "lost order 1", "2000000001#3"}},
		{"an old watermark takes nothing back", []event.Event{ev(w, 9, 0, 0), ev(c, 5, 0, 1), ev(w, 2, 0, 0), ev(c, 6, 0, 2)}, []string{"5#1", "6#2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := drain(t, Ordered(&slice{events: tt.in, err: io.EOF}))
			if err != io.EOF {
				t.Errorf("ends with %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOrderedDeliversAllBeforeAnError(t *testing.T) {
	bad := errors.New("line 3 is bad")
	o := Ordered(&slice{events: []event.Event{ev(event.Connect, 2, 0, 1), ev(event.Connect, 1, 0, 2)}, err: bad})
	got, err := drain(t, o)
	if diff := cmp.Diff([]string{"1#2", "2#1"}, got); diff != "" || err != bad {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := o.Next(new(event.Event)); err != bad {
		t.Errorf("after the end: %v", err)
	}
}

// TestOrderedIsBounded feeds many more events within a second than are held, from CPUs that drift apart.
func TestOrderedIsBounded(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var in []event.Event
	last := [4]int64{}
	for i := range 10 * maxHeld {
		cpu := rnd.IntN(len(last))
		last[cpu] = max(last[cpu]+1, int64(i)+rnd.Int64N(1000))
		in = append(in, ev(event.Connect, last[cpu], uint32(cpu), uint64(i)))
	}
	n := len(in)
	o := Ordered(&slice{events: in, err: io.EOF}).(*ordered)
	got, _ := drain(t, o)
	if len(got) != n {
		t.Errorf("%d of %d events came out, or some were out of order", len(got), n)
	}
	if len(o.slots) > maxHeld+2 {
		t.Errorf("%d slots for at most %d held events", len(o.slots), maxHeld)
	}
}

// TestOrderedNeverLosesAnEvent feeds random times and watermarks.
func TestOrderedNeverLosesAnEvent(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var in []event.Event
		n := 0
		for range 300 {
			if rnd.IntN(10) == 0 {
				in = append(in, ev(event.Watermark, rnd.Int64N(3*horizon), 0, 0))
				continue
			}
			in = append(in, ev(event.Connect, rnd.Int64N(3*horizon), uint32(rnd.IntN(3)), uint64(n)))
			n++
		}
		src := Ordered(&slice{events: in, err: io.EOF})
		seen, newest, late, told := map[uint64]bool{}, int64(0), uint64(0), uint64(0)
		var e event.Event
		for src.Next(&e) == nil {
			if e.Kind == event.Lost {
				told += e.Count
				continue
			}
			seen[e.Conn] = true
			if e.TS < newest {
				late++
			}
			newest = max(newest, e.TS)
		}
		if len(seen) != n || late != told {
			t.Fatalf("seed %d: %d of %d events, %d out of order, %d told", seed, len(seen), n, late, told)
		}
	}
}

func TestOrderedAllocatesNothing(t *testing.T) {
	o := newOrdered(&endless{})
	var e event.Event
	next := func() {
		if err := o.Next(&e); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n > 0 {
		t.Errorf("%v allocations an event", n)
	}
}

// endless yields a connect every 10 ms, with a watermark behind each tenth.
type endless struct{ n int64 }

func (s *endless) Next(e *event.Event) error {
	s.n++
	*e = ev(event.Connect, s.n*1e7, uint32(s.n%2), uint64(s.n))
	if s.n%10 == 0 {
		e.Kind = event.Watermark
	}
	return nil
}

func (s *endless) Close() error { return nil }
