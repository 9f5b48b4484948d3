// SPDX-License-Identifier: Apache-2.0

package http1

import (
	"fmt"
	"testing"

	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/demos/demotest"
)

const ms = int64(1e6)

// play is a run in which all is as the lesson says.
func play() *demotest.Play {
	p := demotest.NewPlay(3)
	p.Connect(stepKeepAlive)
	for i := range int64(Kept) {
		p.Ask(i*10*ms, "/items/1", map[string]int64{"app.running": 5 * ms})
	}
	p.Connect(stepPipelining).ReadCalls = model.Some[uint64](1)
	for i := range int64(Pipelined) {
		p.Ask(0, fmt.Sprintf("/slow/%d", i+1), map[string]int64{"app.running": (i + 1) * int64(Work), "write": 1000})
	}
	p.Connect(stepChunked).WriteCalls = model.Some[uint64](Pieces + 2)
	p.Ask(0, "/report", map[string]int64{"app.running": ms, "write": 90 * ms})
	p.Ask(100*ms, "/items/1", map[string]int64{"app.running": ms})
	return p
}

const (
	slow  = Kept // index of the first pipelined one
	chunk = Kept + Pipelined
)

var cases = []struct {
	name   string
	change func(*demotest.Play)
	check  func(demo.Seen) demo.Verdict
	want   demo.State
}{
	{"kept", nil, checkKept, demo.Proven},
	{"two connections", func(p *demotest.Play) { p.Connect(stepKeepAlive) }, checkKept, demo.Refuted},
	{"not accepted", func(p *demotest.Play) { p.Connections[0].Story = nil }, checkKept, demo.Refuted},
	{"one is missing", func(p *demotest.Play) { p.Exchanges = p.Exchanges[1:] }, checkKept, demo.Refuted},
	{"no protocol, and one is missing", func(p *demotest.Play) {
		p.Exchanges = p.Exchanges[1:]
		unknown(p)
	}, checkKept, demo.Unproven},
	{"in turn", nil, checkTurns, demo.Proven},
	{"before the answer", func(p *demotest.Play) { p.Exchanges[1].Start -= 6 * ms }, checkTurns, demo.Refuted},
	{"one read", nil, checkOneRead, demo.Proven},
	{"five reads", func(p *demotest.Play) { p.Connections[1].ReadCalls.V = 5 }, checkOneRead, demo.Refuted},
	{"one later", func(p *demotest.Play) { p.Exchanges[slow+4].Start += 30 * ms }, checkOneRead, demo.Refuted},
	{"in order", nil, checkOrder, demo.Proven},
	{"two are swapped", func(p *demotest.Play) { p.Exchanges[slow].Path, p.Exchanges[slow+1].Path = "/slow/2", "/slow/1" }, checkOrder, demo.Refuted},
	{"an error", func(p *demotest.Play) { p.Exchanges[slow+2].Status = 500 }, checkOrder, demo.Refuted},
	{"paths are not known", unknown, checkOrder, demo.Unproven},
	{"the last waits", nil, checkHeadOfLine, demo.Proven},
	{"all at once", func(p *demotest.Play) { p.Exchanges[slow+4].TotalNS.V = int64(Work) }, checkHeadOfLine, demo.Refuted},
	{"in pieces", nil, checkPieces, demo.Proven},
	{"all at the end", func(p *demotest.Play) { p.Exchanges[chunk].TTFBNS.V = p.Exchanges[chunk].TotalNS.V }, checkPieces, demo.Refuted},
	{"in one call", func(p *demotest.Play) { p.Connections[2].WriteCalls.V = 1 }, checkPieces, demo.Refuted},
	{"first byte unknown", func(p *demotest.Play) { p.Exchanges[chunk].TTFBNS.Known = false }, checkPieces, demo.Unproven},
	{"again", nil, checkAgain, demo.Proven},
	{"not again", func(p *demotest.Play) { p.Exchanges = p.Exchanges[:chunk+1] }, checkAgain, demo.Refuted},
}

// unknown takes away what only first bytes tell.
func unknown(p *demotest.Play) {
	for i := range p.Exchanges {
		x := &p.Exchanges[i]
		x.Protocol, x.Path, x.Status = "tcp", "", 0
	}
}

func TestClaims(t *testing.T) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			p := play()
			if tt.change != nil {
				tt.change(p)
			}
			if v := tt.check(p.Seen); v.State != tt.want {
				t.Errorf("%s (%s) %v, want %s", v.State, v.Why, v.Evidence, tt.want)
			}
		})
	}
}
