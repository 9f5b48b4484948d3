// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// TestOlderConnect: a client that was in connect() before the watch. It is no connect of the watch's time, and how long its handshake
// took is not known; that it fails counts.
func TestOlderConnect(t *testing.T) {
	c := New(Options{})
	add := func(kind event.Kind, ts int64, conn uint64, more func(*event.Event)) {
		e := event.Event{Kind: kind, TS: ts, Conn: conn, Role: event.RoleClient}
		e.Set(event.FieldConn, event.FieldRole)
		if more != nil {
			more(&e)
		}
		c.Add(&e)
	}
	older := func(e *event.Event) { e.PreExisting = true; e.Set(event.FieldPreExisting) }
	add(event.Connect, 1000, 1, older)
	add(event.Connect, 1000, 2, older)
	for _, x := range c.Snapshot(1500).Connections {
		if x.State != model.StateConnecting || !x.PreExisting {
			t.Errorf("before anything happened: %+v", x)
		}
	}
	add(event.Established, 2000, 1, nil)
	add(event.Close, 2000, 2, func(e *event.Event) { e.Reason = event.ReasonTimeout; e.Set(event.FieldReason) })
	s := c.Snapshot(3000)
	for _, x := range s.Connections {
		want := map[uint64]string{1: model.StateEstablished, 2: model.StateClosed}[x.Conn]
		if x.State != want || !x.PreExisting || x.HandshakeNS.Known {
			t.Errorf("want %s: %+v", want, x)
		}
	}
	if n := s.Total; n.Connects != 0 || n.Established != 1 || n.Failed != 1 {
		t.Errorf("totals: %+v", n)
	}
}
