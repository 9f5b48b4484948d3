// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"beltrace/collector/event"
)

// TestPairing loses turns of requests and answers, or tells some requests after their answers, alone or in one turn with the
// next: an answer is never taken for another request's.
func TestPairing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const each = 12
	n := 0
	for i := range 2000 {
		var all []event.Event
		loses := i%2 == 0
		var pos [2]uint64
		var texts [2]string // not told yet
		tell := func(d int, ts int64) {
			if texts[d] == "" {
				return
			}
			if !loses || r.IntN(20) > 0 { // else it is lost
				e := turnEvent(1, []string{"in", "out"}[d], pos[d], texts[d], uint64(len(texts[d])), event.Moves{FirstTS: ts, LastTS: ts})
				e.Role = event.RoleServer
				e.Set(event.FieldRole)
				all = append(all, e)
			}
			pos[d] += uint64(len(texts[d]))
			texts[d] = ""
		}
		for i := range each {
			ts := int64(i+1) * 10 * ms
			texts[0] += fmt.Sprintf("GET /%d HTTP/1.1\r\n\r\n", i)
			late := !loses && r.IntN(20) == 0
			if !late {
				tell(0, ts)
			}
			texts[1] += fmt.Sprintf("HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n", 200+i)
			tell(1, ts+ms)
			if late && r.IntN(2) == 0 { // else with the next one
				tell(0, ts)
			}
		}
		_, derived := outcomes(append(all, closeEvent(1, 400*ms)))
		for _, e := range derived {
			var asked, status int
			if _, err := fmt.Sscanf(e.Result.Summary, "GET /%d %d", &asked, &status); err == nil {
				n++
				if status != 200+asked {
					t.Fatalf("%s in %v", e.Result.Summary, lines(all))
				}
			}
		}
	}
	if n < 2000*each*3/4 {
		t.Errorf("only %d of %d were paired", n, 2000*each)
	}
}

func lines(all []event.Event) (out []string) {
	for i := range all {
		out = append(out, fmt.Sprintf("\n%s %d+%d %s", all[i].Turn.Direction, all[i].Turn.Pos, all[i].Bytes, strings.Fields(string(all[i].Turn.Head))))
	}
	return out
}
