// SPDX-License-Identifier: Apache-2.0

package demotest

import (
	"fmt"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// Play is what is seen of a demo whose steps begin each second, from 1 s on, and last until a second after the last one.
type Play struct{ demo.Seen }

// Addresses and the number of the server in a Play.
const (
	Server = "127.0.0.1:8080"
	PID    = 7
	second = int64(1e9)
)

// NewPlay returns a play of so many steps in which nothing has happened.
func NewPlay(steps int) *Play {
	p := &Play{demo.Seen{
		Snapshot: &model.Snapshot{TS: int64(steps+2) * second}, Server: demo.Party{PID: PID, Addr: Server}, Notes: map[string]float64{}, Done: true,
	}}
	for i := range steps {
		p.Steps = append(p.Steps, int64(i+1)*second)
	}
	return p
}

// Connect makes a server's socket in a step, which is closed half a second later.
func (p *Play) Connect(step int) *model.Connection {
	n := len(p.Connections)
	at := p.Steps[step] + int64(n)*1000
	c := Life{Role: event.RoleServer, Local: Server, Remote: fmt.Sprintf("127.0.0.1:%d", 40000+n), Established: at, Accepted: at + 100, Closed: at + second/2}.Connection()
	c.Conn = uint64(100 + n)
	c.ReadCalls, c.WriteCalls, c.BytesOut = model.Some[uint64](0), model.Some[uint64](0), model.Some[uint64](0)
	p.Connections = append(p.Connections, c)
	return &p.Connections[n]
}

// Ask makes a request on the newest connection, so long after its accept, with phases in pairs of name and ns.
func (p *Play) Ask(after int64, path string, phases map[string]int64) *model.Exchange {
	c := &p.Connections[len(p.Connections)-1]
	x := model.Exchange{Conn: c.Conn, Number: uint64(len(p.Exchanges) + 1), Local: Server, Remote: c.Remote, Protocol: "http1", Method: "GET", Path: path, Status: 200, Phases: phases,
		Start: c.Opened + after}
	total := x.SeenNS()
	x.TotalNS = model.Some(total)
	x.TS, x.TTFBNS = x.Start+total, model.Some(total-phases["write"]-phases["send"])
	p.Exchanges = append(p.Exchanges, x)
	return &p.Exchanges[len(p.Exchanges)-1]
}

// Mark makes a mark of the server in a step.
func (p *Play) Mark(step int, after int64, name string, end bool, id uint64) {
	p.Marks = append(p.Marks, model.Mark{TS: p.Steps[step] + after, PID: PID, Name: name, End: end, ID: id})
}
