// SPDX-License-Identifier: Apache-2.0

package socketbuffers

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
	for step, took := range []int64{20 * ms, 1010 * ms, 1020 * ms} {
		c := p.Connect(step)
		c.BytesOut, c.WriteCalls = model.Some[uint64](Size+50), model.Some[uint64](300)
		if step != stepQuick {
			c.WindowNS = model.Some(980 * ms)
		}
		p.Ask(ms, pathLarge, map[string]int64{"app.running": ms, "write": took - ms})
	}
	p.Connect(stepOther)
	for i := range int64(Others) {
		p.Ask((2+i)*ms, pathSmall, map[string]int64{"app.running": ms / 2})
	}
	return p
}

var cases = []struct {
	name   string
	change func(*demotest.Play)
	check  func(demo.Seen) demo.Verdict
	want   demo.State
}{
	{"quick", nil, checkQuick, demo.Proven},
	{"a slow machine", func(p *demotest.Play) { p.Exchanges[0].TotalNS.V = 2000 * ms }, checkQuick, demo.Unproven},
	{"a slow reader instead", func(p *demotest.Play) {
		p.Exchanges[0].TotalNS.V, p.Connections[0].WindowNS = 2000*ms, model.Some(1900*ms)
	}, checkQuick, demo.Refuted},
	{"not whole", func(p *demotest.Play) { p.Connections[0].BytesOut.V = 100 }, checkQuick, demo.Refuted},
	{"not yet whole", func(p *demotest.Play) { p.Connections[0].BytesOut.V, p.Done = 100, false }, checkQuick, demo.Waiting},
	{"window full", nil, checkWindow, demo.Proven},
	{"window hardly full", func(p *demotest.Play) { p.Connections[1].WindowNS.V = 100 * ms }, checkWindow, demo.Refuted},
	{"window never full", func(p *demotest.Play) { p.Connections[1].WindowNS = model.Opt[int64]{} }, checkWindow, demo.Refuted},
	{"stood still", nil, checkStood, demo.Proven},
	{"did not stand still", func(p *demotest.Play) { p.Exchanges[1].Phases["write"] = 100 * ms }, checkStood, demo.Refuted},
	{"all arrived", nil, checkAll, demo.Proven},
	{"cut off", func(p *demotest.Play) { p.Exchanges[1].Incomplete = true }, checkAll, demo.Refuted},
	{"others meanwhile", nil, checkOthers, demo.Proven},
	{"one of them later", func(p *demotest.Play) { p.Exchanges[5].TS += 3000 * ms }, checkOthers, demo.Refuted},
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
