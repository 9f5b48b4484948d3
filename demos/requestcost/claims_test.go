// SPDX-License-Identifier: Apache-2.0

package requestcost

import (
	"testing"

	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/demos/demotest"
)

const ms = int64(1e6)

// play is a run in which all is as the lesson says.
func play() *demotest.Play {
	p := demotest.NewPlay(3)
	id := uint64(0)
	for step, reads := range []uint64{1, 9, 8} {
		p.Connect(step).ReadCalls = model.Some(reads * Requests)
		read, parse := ms/100, ms/50
		switch step {
		case stepPieces:
			read = 18 * ms
		case stepLarge:
			parse = ms / 5
		}
		for i := range int64(Requests) {
			id++
			p.Ask(i*20*ms, path, map[string]int64{"read": read, "app.running": ms / 10})
			p.Mark(step, i*20*ms, "parse", false, id)
			p.Mark(step, i*20*ms+parse, "parse", true, id)
		}
	}
	return p
}

var cases = []struct {
	name   string
	change func(*demotest.Play)
	check  func(demo.Seen) demo.Verdict
	want   demo.State
}{
	{"one read each", nil, checkOneRead, demo.Proven},
	{"two reads once", func(p *demotest.Play) { p.Connections[0].ReadCalls.V++ }, checkOneRead, demo.Refuted},
	{"reads are unknown", func(p *demotest.Play) { p.Connections[0].ReadCalls.Known = false }, checkOneRead, demo.Unproven},
	{"it is still open", func(p *demotest.Play) { p.Connections[0].State, p.Done = model.StateEstablished, false }, checkOneRead, demo.Waiting},
	{"parsed", nil, checkParsed, demo.Proven},
	{"a mark is missing", func(p *demotest.Play) { p.Marks = p.Marks[1:] }, checkParsed, demo.Refuted},
	{"marks of another", func(p *demotest.Play) { p.Server.PID++ }, checkParsed, demo.Refuted},
	{"many reads", nil, checkManyReads, demo.Proven},
	{"few reads", func(p *demotest.Play) { p.Connections[1].ReadCalls.V = Requests }, checkManyReads, demo.Refuted},
	{"waited", nil, checkWaited, demo.Proven},
	{"did not wait", func(p *demotest.Play) {
		for i := range p.Exchanges {
			p.Exchanges[i].Phases = map[string]int64{"app.running": 18 * ms}
		}
	}, checkWaited, demo.Refuted},
	{"large ones are read in parts", nil, checkLargeReads, demo.Proven},
	{"in too few", func(p *demotest.Play) { p.Connections[2].ReadCalls.V = 5 * Requests }, checkLargeReads, demo.Refuted},
	{"parsing takes longer", nil, checkLargeParse, demo.Proven},
	{"parsing takes as long", func(p *demotest.Play) { stretch(p, stepOnePiece, ms) }, checkLargeParse, demo.Refuted},
	{"a busy machine", func(p *demotest.Play) {
		for i := range p.Marks {
			if m := &p.Marks[i]; m.End && m.ID%2 == 0 && m.ID <= Requests {
				m.TS += ms
			}
		}
	}, checkLargeParse, demo.Unproven},
}

// stretch makes parsing last longer in a step.
func stretch(p *demotest.Play, step int, by int64) {
	for i := range p.Marks {
		if m := &p.Marks[i]; m.End && (int(m.ID)-1)/Requests == step {
			m.TS += by
		}
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
