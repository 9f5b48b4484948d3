// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"net/netip"
	"runtime"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// churn yields the events of short connections over loopback, both sides: six events for each connection.
type churn struct {
	n    uint64 // connections begun
	step int
	ts   int64
}

var (
	serverAddr = netip.MustParseAddrPort("127.0.0.1:8080")
	clientIP   = netip.MustParseAddr("127.0.0.1")
)

func (s *churn) next(e *event.Event) {
	s.ts += 10_000
	client, server := 2*s.n+10, 2*s.n+11
	from := netip.AddrPortFrom(clientIP, uint16(s.n%50_000+10_000))
	*e = event.Event{TS: s.ts, NetNS: 1, Proto: "tcp", CPU: uint32(s.n % 2)}
	e.Set(event.FieldConn, event.FieldNetNS, event.FieldProto, event.FieldCPU)
	switch s.step {
	case 0:
		e.Kind, e.Conn, e.Remote, e.PID, e.TID, e.Comm = event.Connect, client, serverAddr, 7, 8, "curl"
		e.Set(event.FieldRemote, event.FieldPID, event.FieldTID, event.FieldComm)
	case 1:
		e.Kind, e.Conn, e.Local, e.Remote, e.Role = event.Established, client, from, serverAddr, event.RoleClient
		e.Set(event.FieldLocal, event.FieldRemote, event.FieldRole)
	case 2:
		e.Kind, e.Conn, e.Local, e.Remote, e.Role, e.ListenerConn = event.Established, server, serverAddr, from, event.RoleServer, 1
		e.Set(event.FieldLocal, event.FieldRemote, event.FieldRole, event.FieldListenerConn)
	case 3:
		e.Kind, e.Conn, e.PID, e.TID, e.Comm, e.FD = event.Accept, server, 9, 9, "api", 5
		e.Set(event.FieldPID, event.FieldTID, event.FieldComm, event.FieldFD)
	case 4, 5:
		e.Kind, e.Conn, e.Reason, e.BytesIn, e.BytesOut = event.Close, server, event.ReasonFIN, 100, 200
		if s.step == 5 {
			e.Conn = client
		}
		e.Set(event.FieldReason, event.FieldBytesIn, event.FieldBytesOut)
	}
	if s.step++; s.step == 6 {
		s.step = 0
		s.n++
	}
}

// listening returns a collector that knows one listener.
func listening(opt Options) *Collector {
	c := New(opt)
	e := event.Event{TS: 1, Kind: event.Listen, Conn: 1, Listener: serverAddr, NetNS: 1, PID: 9, TID: 9, Comm: "api"}
	e.Set(event.FieldConn, event.FieldListener, event.FieldNetNS, event.FieldPID, event.FieldTID, event.FieldComm)
	c.Add(&e)
	return c
}

func TestAddAllocatesNothingOnceFull(t *testing.T) {
	c := listening(Options{Budget: Budget{Connections: 500, Closed: 100}})
	s := &churn{}
	var e event.Event
	for range 60_000 {
		s.next(&e)
		c.Add(&e)
	}
	if n := testing.AllocsPerRun(6000, func() { s.next(&e); c.Add(&e) }); n > 0 {
		t.Errorf("%v allocations an event", n)
	}
	for s.step != 0 {
		s.next(&e)
		c.Add(&e)
	}
	checkInvariants(t, c)
	if got := c.total; got.Established != 2*got.Connects || got.Accepts != got.Connects || got.Closes != 2*got.Connects {
		t.Errorf("totals are not exact: %+v", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	c := listening(Options{})
	s := &churn{}
	var e event.Event
	b.ReportAllocs()
	for b.Loop() {
		s.next(&e)
		c.Add(&e)
	}
}

// BenchmarkSnapshot takes snapshots of 20,000 open connections; "all changed" after each of them had an event.
func BenchmarkSnapshot(b *testing.B) {
	c := listening(Options{})
	s := &churn{}
	var e event.Event
	for s.n < 10_000 {
		if s.next(&e); e.Kind != event.Close {
			c.Add(&e)
		}
	}
	if n := len(c.conns); n != 20_000 || c.open.len != n {
		b.Fatalf("%d connections, %d open", n, c.open.len)
	}
	var keep *model.Snapshot
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			keep = c.Snapshot(0)
		}
	})
	b.Run("all changed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for x := range c.open.all() {
				x.texts.done = false
			}
			keep = c.Snapshot(0)
		}
	})
	if len(keep.Connections) != 20_000 {
		b.Fatal(len(keep.Connections))
	}
}

// BenchmarkConclude lets the rules look at a hundred listeners that all have something to tell. They do so twice a second.
func BenchmarkConclude(b *testing.B) {
	c := New(Options{})
	for i := range uint64(100) {
		c.Add(listenAt(i+1, uint16(8000+i)))
		for tid := range uint32(8) {
			for n := range int64(600) {
				e := event.Event{TS: 2 + n, Kind: event.Accept, ListenerConn: i + 1, PID: 9, TID: tid, WaitNS: 1e6 * n, AcceptQueue: uint32(n)}
				c.Add(e.Set(event.FieldListenerConn, event.FieldPID, event.FieldTID, event.FieldWaitNS, event.FieldAcceptQueue))
			}
		}
	}
	now := int64(3)
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range c.order { // each had an event
			l.wait.add(now, 4096)
		}
		now += period
		c.insight.Tick(c.light(now))
	}
}

func listenAt(conn uint64, port uint16) *event.Event {
	e := &event.Event{TS: 1, Kind: event.Listen, Conn: conn, Listener: netip.AddrPortFrom(serverAddr.Addr(), port), NetNS: 1, PID: 9, Comm: "api", Backlog: 128}
	return e.Set(event.FieldConn, event.FieldListener, event.FieldNetNS, event.FieldPID, event.FieldComm, event.FieldBacklog)
}

func BenchmarkOrdered(b *testing.B) {
	o := Ordered(&endless{})
	var e event.Event
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Next(&e); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMemory holds the collector to its budget: what the defaults cost when they are used up.
func TestMemory(t *testing.T) {
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	before := heap()
	c := listening(Options{})
	s := &churn{}
	var e event.Event
	for s.n < 50_000 {
		s.next(&e)
		c.Add(&e)
	}
	keep := c.Snapshot(0)
	churned := heap() - before
	runtime.KeepAlive(keep) // the snapshot counts
	for s.n < 61_000 {
		if s.next(&e); e.Kind != event.Close {
			c.Add(&e)
		}
	}
	keep = c.Snapshot(0)
	open := heap() - before
	t.Logf("%.1f MB with 5,000 closed connections and a snapshot, %.1f MB with 20,000 open ones and a snapshot", churned, open)
	if churned > 20 || open > 60 {
		t.Errorf("%.1f MB with closed connections, %.1f MB with open ones", churned, open)
	}
	runtime.KeepAlive(keep)
	runtime.KeepAlive(c)
}

// kept yields the turns of requests and answers on kept connections, as both ends see them: four for each request.
type kept struct {
	n    uint64 // requests
	step int
	ts   int64
}

const keptConns = 64

var (
	keptAsk    = []byte("GET /bench.txt HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	keptAnswer = []byte("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 26 Nov 2026 17:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 20\r\nConnection: keep-alive\r\n\r\n....................")
)

func (s *kept) next(e *event.Event) {
	s.ts += 5000
	conn, asked := s.n%keptConns, s.n/keptConns
	*e = event.Event{TS: s.ts, Kind: event.Turn, NetNS: 1, Proto: "tcp", Conn: 2*conn + 10, PID: 9, TID: 9, Comm: "api", Role: event.RoleServer}
	e.Set(event.FieldConn, event.FieldNetNS, event.FieldProto, event.FieldPID, event.FieldTID, event.FieldComm, event.FieldRole,
		event.FieldBytes, event.FieldPos, event.FieldCalls, event.FieldDirection, event.FieldFirstTS, event.FieldLastTS)
	e.Turn = &event.Moves{Direction: event.DirIn, Calls: 1, FirstTS: s.ts - 2000, LastTS: s.ts - 2000, ReadableTS: s.ts - 4000}
	head := keptAsk
	if s.step == 1 || s.step == 3 {
		head, e.Turn.Direction, e.Turn.SentTS, e.Turn.AckedTS = keptAnswer, event.DirOut, s.ts-2000, s.ts-1000
		e.Set(event.FieldSentTS, event.FieldAckedTS)
	}
	if s.step > 1 { // what the server reads the client has written
		e.Conn, e.Role, e.Turn.Direction = 2*conn+11, event.RoleClient, map[string]string{event.DirIn: event.DirOut, event.DirOut: event.DirIn}[e.Turn.Direction]
	}
	e.Turn.Head, e.Bytes, e.Turn.Pos = head, uint64(len(head)), asked*uint64(len(head))
	if s.step++; s.step == 4 {
		s.step = 0
		s.n++
	}
}

// BenchmarkTurn takes turns of kept connections, with the exchanges that they make.
func BenchmarkTurn(b *testing.B) {
	c := listening(Options{})
	for i := range uint64(keptConns) {
		from := netip.AddrPortFrom(clientIP, uint16(10_000+i))
		for _, e := range []event.Event{
			{TS: 2, Kind: event.Established, Conn: 2*i + 11, Local: from, Remote: serverAddr, Role: event.RoleClient},
			{TS: 3, Kind: event.Established, Conn: 2*i + 10, Local: serverAddr, Remote: from, Role: event.RoleServer, ListenerConn: 1},
		} {
			e.NetNS = 1
			c.Add(e.Set(event.FieldConn, event.FieldNetNS, event.FieldLocal, event.FieldRemote, event.FieldRole, event.FieldListenerConn))
		}
	}
	s := &kept{ts: 1000}
	var e event.Event
	exchanges := 0
	b.ReportAllocs()
	for b.Loop() {
		s.next(&e)
		c.Add(&e)
		exchanges += len(c.Derived())
	}
	if want := b.N / 4; exchanges < want-2 || exchanges > want+2 {
		b.Errorf("%d turns made %d exchanges", b.N, exchanges)
	}
}
