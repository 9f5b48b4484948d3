// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"beltrace/collector/event"
)

// talker makes the events of a connection, and loses some.
type talker struct {
	r     *rand.Rand
	loses int // one in so many events is lost; 0: none
	all   []event.Event
	pos   [2]uint64
	texts [2]string // not told yet
	calls [2]uint64 // of them those that were told, or lost, call by call
}

const inwards, outwards = 0, 1

func (k *talker) add(e event.Event) {
	e.Role = event.RoleServer
	e.Set(event.FieldRole)
	if k.loses == 0 || k.r.IntN(k.loses) > 0 {
		k.all = append(k.all, e)
	}
}

// tell ends a turn.
func (k *talker) tell(d int, ts int64) {
	if n := uint64(len(k.texts[d])); n > 0 {
		k.add(turnEvent(1, []string{event.DirIn, event.DirOut}[d], k.pos[d], k.texts[d], n, event.Moves{FirstTS: ts, LastTS: ts}))
		k.pos[d] += n
	}
	k.texts[d], k.calls[d] = "", 0
}

// call tells what was said since the last call, as of a connection in detail.
func (k *talker) call(d int, ts int64) {
	k.add(callEvent([]event.Kind{event.Read, event.Write}[d], k.pos[d]+k.calls[d], k.texts[d][k.calls[d]:], ts))
	k.calls[d] = uint64(len(k.texts[d]))
}

func asks(i int) string { return fmt.Sprintf("GET /%d HTTP/1.1\r\n\r\n", i) }

func answers(i int) string {
	return fmt.Sprintf("HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n", 200+i)
}

// TestPairing loses turns and calls of requests and answers, or tells some requests after their answers, alone or in one turn
// with the next: an answer is never taken for another request's.
func TestPairing(t *testing.T) {
	const each = 12
	for _, tt := range []struct {
		name  string
		least float64 // share of the requests that are paired
		talk  func(k *talker, i int, ts int64)
		loses int
	}{
		{"turns", 0.8, func(k *talker, i int, ts int64) {
			k.texts[inwards] += asks(i)
			k.tell(inwards, ts)
			k.texts[outwards] += answers(i)
			k.tell(outwards, ts+ms)
		}, 20},
		{"told late", 0.8, func(k *talker, i int, ts int64) {
			k.texts[inwards] += asks(i)
			late := k.r.IntN(20) == 0
			if !late {
				k.tell(inwards, ts)
			}
			k.texts[outwards] += answers(i)
			k.tell(outwards, ts+ms)
			if late && k.r.IntN(2) == 0 { // else with the next one
				k.tell(inwards, ts)
			}
		}, 0},
		{"calls, three requests a turn", 0.6, func(k *talker, i int, ts int64) {
			if i%3 != 0 {
				return
			}
			for d, text := range []func(int) string{asks, answers} {
				for j := range 3 {
					k.texts[d] += text(i + j)
					k.call(d, ts+int64(d)*ms)
				}
				k.tell(d, ts+int64(d)*ms)
			}
		}, 20},
		{"calls, two answers behind", 0.3, func(k *talker, i int, ts int64) {
			k.texts[inwards] += asks(i)
			k.call(inwards, ts)
			k.tell(inwards, ts)
			if i < 2 {
				return
			}
			for j := i - 2; j == i-2 || i == each-1 && j < each; j++ {
				k.texts[outwards] += answers(j)
				k.call(outwards, ts+ms)
			}
			k.tell(outwards, ts+ms)
			if i < 4 { // it was seen before anything was lost
				return
			}
			k.loses = 4
		}, 0},
	} {
		r := rand.New(rand.NewPCG(3, 4))
		paired := 0
		for range 1000 {
			k := &talker{r: r, loses: tt.loses}
			for i := range each {
				tt.talk(k, i, int64(i+1)*10*ms)
			}
			_, derived := outcomes(append(k.all, closeEvent(1, 400*ms)))
			for _, e := range derived {
				var asked, status int
				if _, err := fmt.Sscanf(e.Result.Summary, "GET /%d %d", &asked, &status); err != nil {
					continue
				}
				if paired++; status != 200+asked {
					t.Fatalf("%s: %s in %v", tt.name, e.Result.Summary, lines(k.all))
				}
			}
		}
		if share := float64(paired) / (1000 * each); share < tt.least {
			t.Errorf("%s: only %.2f of the requests were paired", tt.name, share)
		} else {
			t.Logf("%s: %.2f", tt.name, share)
		}
	}
}

// TestTooManyAsks: more requests wait than are kept: no answer is taken for another's, then or later.
func TestTooManyAsks(t *testing.T) {
	k := &talker{}
	for i := range maxAsks + 10 {
		k.texts[inwards] += asks(i)
		k.call(inwards, int64(i)*ms)
	}
	k.tell(inwards, maxAsks*ms)
	for i := range maxAsks + 20 {
		k.texts[outwards] += answers(i)
		k.call(outwards, int64(2*maxAsks+i)*ms)
		k.tell(outwards, int64(2*maxAsks+i)*ms)
		k.texts[inwards] += asks(maxAsks + 10 + i)
		k.call(inwards, int64(2*maxAsks+i)*ms)
		k.tell(inwards, int64(2*maxAsks+i)*ms)
	}
	_, derived := outcomes(k.all)
	for _, e := range derived {
		var asked, status int
		if _, err := fmt.Sscanf(e.Result.Summary, "GET /%d %d", &asked, &status); err == nil && status != 200+asked {
			t.Fatalf("%s", e.Result.Summary)
		}
	}
}

func lines(all []event.Event) (out []string) {
	for i := range all {
		out = append(out, fmt.Sprintf("\n%s %s %d+%d %s", all[i].Kind, all[i].Turn.Direction, all[i].Turn.Pos, all[i].Bytes, strings.Fields(string(all[i].Turn.Head))))
	}
	return out
}
