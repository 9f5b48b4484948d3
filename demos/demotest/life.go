// SPDX-License-Identifier: Apache-2.0

package demotest

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// Life is one socket's life as the kernel tells it, to test claims with. Moments are ns of CLOCK_MONOTONIC; 0: it did
// not happen.
type Life struct {
	Role, Local, Remote           string
	Established, Accepted, Closed int64
	Handshake                     int64
	BytesIn                       uint64
}

// Connection returns what a snapshot shows of it.
func (l Life) Connection() model.Connection {
	c := model.Connection{
		Role: l.Role, State: model.StateEstablished, Local: l.Local, Remote: l.Remote, Opened: l.Established,
		HandshakeNS: known(l.Handshake),
	}
	c.Story = append(c.Story, line(l.Established, event.Established))
	if l.Accepted != 0 {
		c.WaitNS = model.Some(l.Accepted - l.Established)
		c.Story = append(c.Story, line(l.Accepted, event.Accept))
	}
	if l.Closed != 0 {
		c.State, c.Closed, c.BytesIn = model.StateClosed, model.Some(l.Closed), model.Some(l.BytesIn)
		c.Story = append(c.Story, line(l.Closed, event.Close))
	}
	return c
}

func line(ts int64, kind event.Kind) model.EventLine {
	return model.EventLine{TS: ts, Kind: kind.String()}
}

func known(ns int64) model.Opt[int64] {
	return model.Opt[int64]{V: ns, Known: ns != 0}
}
