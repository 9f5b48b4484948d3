// SPDX-License-Identifier: Apache-2.0

package nagle

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
	for step, calls := range []uint64{2, 2, 1} {
		c := p.Connect(step)
		c.WriteCalls = model.Some(calls * Requests)
		send := int64(0)
		if step == stepTwoWrites {
			send, c.NagleNS = 40*ms, model.Some(Requests*40*ms)
		}
		for i := range int64(Requests) {
			p.Ask(i*20*ms, paths[step], map[string]int64{"read": ms / 10, "app.running": ms / 10, "send": send})
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
	{"two writes", nil, writesEach(stepTwoWrites, 2), demo.Proven},
	{"one write", nil, writesEach(stepTwoWrites, 1), demo.Refuted},
	{"calls are unknown", func(p *demotest.Play) { p.Connections[0].WriteCalls.Known = false }, writesEach(stepTwoWrites, 2), demo.Unproven},
	{"a request is missing", func(p *demotest.Play) { p.Exchanges = p.Exchanges[1:] }, writesEach(stepTwoWrites, 2), demo.Refuted},
	{"a request is to come", func(p *demotest.Play) { p.Exchanges, p.Done = p.Exchanges[1:], false }, writesEach(stepTwoWrites, 2), demo.Waiting},
	{"kept back", nil, checkHeld, demo.Proven},
	{"kept back by something else", func(p *demotest.Play) { p.Connections[0].NagleNS.V = ms }, checkHeld, demo.Refuted},
	{"not kept back", func(p *demotest.Play) { p.Connections[0].NagleNS.Known = false }, checkHeld, demo.Refuted},
	{"kept back now and then", func(p *demotest.Play) {
		for i := range 10 {
			p.Exchanges[i].Phases["send"] = ms
		}
	}, checkHeld, demo.Refuted},
	{"most of the time", nil, checkSend, demo.Proven},
	{"a slow handler", func(p *demotest.Play) {
		for i := range Requests {
			p.Exchanges[i].TotalNS.V += 100 * ms
		}
	}, checkSend, demo.Refuted},
	{"without delay", nil, checkFree(stepNoDelay, 2), demo.Proven},
	{"one call, without delay", nil, checkFree(stepOneWrite, 1), demo.Proven},
	{"with delay all the same", func(p *demotest.Play) { p.Connections[2].NagleNS = model.Some(40 * ms) }, checkFree(stepOneWrite, 1), demo.Refuted},
	{"one call too many", func(p *demotest.Play) { p.Connections[2].WriteCalls.V++ }, checkFree(stepOneWrite, 1), demo.Refuted},
	{"faster", nil, checkFaster(stepNoDelay), demo.Proven},
	{"as slow", func(p *demotest.Play) {
		for i := range p.Exchanges {
			p.Exchanges[i].TotalNS.V = 40 * ms
		}
	}, checkFaster(stepNoDelay), demo.Refuted},
	{"as fast", func(p *demotest.Play) {
		for i := range p.Exchanges {
			p.Exchanges[i].TotalNS.V = ms
		}
	}, checkFaster(stepNoDelay), demo.Unproven},
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
