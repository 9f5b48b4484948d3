// SPDX-License-Identifier: Apache-2.0

package viewtest

import "beltrace/collector/model"

// exchanges are requests with a wait in the accept queue, a blocked handler, a name that is long and hostile, an unknown
// protocol and one that was cut off; the last ones first.
func exchanges() []model.Exchange {
	out := []model.Exchange{
		{Path: "/orders/7", Status: 200, Phases: map[string]int64{"syn": 20 * us, "handshake": 24 * us, "accept_queue": 48_900 * us, "waiting": 30 * us, "wakeup": 10 * us,
			"runqueue": 400 * us, "read": 10 * us, "app.running": 1700 * us, "app.blocked:futex": 100 * us, "write": 20 * us},
			TTFBNS: model.Some(int64(51_180 * us)), AckNS: model.Some(int64(50 * us)), Confidence: "thread"},
		{Path: "/a.txt", Status: 304, Phases: map[string]int64{"waiting": 8 * us, "read": 4 * us, "app.running": 280 * us, "write": 6 * us}, TTFBNS: model.Some(int64(290 * us)), Confidence: "thread"},
		{Path: "/report", Status: 503, Phases: map[string]int64{"read": 9 * us, "app.running": 2 * ms, "app.blocked:recvfrom 172.17.0.9:5432": 2 * sec, "app.runqueue": 30 * ms, "write": 12 * us, "send": 40 * ms},
			TTFBNS: model.Some(int64(2032 * ms)), AckNS: model.Some(int64(40 * ms)), Confidence: "thread",
			Stacks: map[string][]string{"app.blocked:recvfrom 172.17.0.9:5432": {"internal/runtime/syscall.Syscall6 asm_linux_amd64.s:36", "syscall.RawSyscall6 syscall_linux.go:64",
				"golang.org/x/sys/unix.Recvfrom syscall_unix.go:308", "example.com/api/db.(*conn).read conn.go:88", "example.com/api/db.(*conn).Query[go.shape.struct { a/b.x }] conn.go:41",
				"main.report report.go:23", "net/http.HandlerFunc.ServeHTTP server.go:2322", "net/http.(*ServeMux).ServeHTTP server.go:2861", "net/http.serverHandler.ServeHTTP server.go:3340"}}},
		{Path: "/ein/sehr/langer/pfad/" + "x\x1b[31mrot/と/日本語/und/so/weiter/und/so/fort/bis/zum/ende", Status: 200, Phases: map[string]int64{"unobserved": 12 * ms}, Confidence: "guess"},
		{Protocol: "tcp", Phases: map[string]int64{"client_idle": 900 * ms, "unobserved": 3 * ms}, Incomplete: true, Confidence: "stream position"},
	}
	for i := range out {
		x := &out[i]
		x.TS, x.Conn, x.Number, x.Process, x.TID = Now-int64(i)*3*ms, uint64(300+i), uint64(i+1), process(4711, "api"), model.Some(uint32(4712))
		x.Local, x.Remote, x.Server, x.Route = "172.17.0.2:9000", "172.17.0.4:51234", "0.0.0.0:9000", x.Path
		if x.Protocol == "" {
			x.Protocol, x.Method = "http1", "GET"
		}
		if x.Start = x.TS - x.SeenNS(); !x.Incomplete {
			x.TotalNS = model.Some(x.SeenNS())
		}
	}
	out[0].Moments, out[2].Moments = moments(out[0].Start), model.Moments{
		In:     model.Moves{Readable: out[2].Start, First: out[2].Start + 9*us, Last: out[2].Start + 9*us, TID: 4712, LastTID: 4712, Bytes: 120},
		Out:    model.Moves{First: out[2].TS - 40*ms - 12*us, Last: out[2].TS - 40*ms, Sent: out[2].TS, TID: 4712, LastTID: 4712, Bytes: 98_000},
		Sleeps: []model.Sleep{{From: out[2].Start + ms, Runnable: out[2].Start + ms + 2*sec, To: out[2].Start + 31*ms + 2*sec, On: "recvfrom 172.17.0.9:5432", Cut: true}}}
	out[0].Marks = map[string]int64{"parse": 90 * us, "handle": 1_500 * us}
	out[0].MarkSpans = []model.MarkSpan{{Name: "parse", FromNS: 49_400 * us, NS: 90 * us}, {Name: "handle", FromNS: 49_500 * us, NS: 1_500 * us}}
	out[0].Route, out[0].Listener = "/orders/{id}", model.Some(uint64(256))
	return out
}

// Relayed is a snapshot whose newest request passed through two threads: the first one read it, computed, waited for a lock and
// handed over; the second one had served another connection.
func Relayed() *model.Snapshot {
	s := Busy()
	x := &s.Exchanges[0]
	x.TotalNS = model.Some(int64(60 * ms))
	x.Start, x.Confidence, x.Marks, x.MarkSpans = x.TS-x.TotalNS.V, "guess", nil, nil
	x.Phases = map[string]int64{"runqueue": ms, "read": 10 * us, "app.running": 32*ms + 890*us, "app.blocked:futex": 25*ms + 900*us, "app.runqueue": 100 * us, "write": 100 * us}
	x.TTFBNS = model.Some(int64(59*ms + 900*us))
	at := func(us0 int64) int64 { return x.Start + us0*us }
	x.Moments = model.Moments{
		In: model.Moves{Readable: at(0), Waking: at(1), Runnable: at(2), Oncpu: at(1_002), Called: at(1_004), First: at(1_012), Last: at(1_012), TID: 4712, LastTID: 4712, Bytes: 79},
		Out: model.Moves{Waking: at(46_900), Runnable: at(46_910), Oncpu: at(47_010), Called: at(59_890), First: at(59_900), Last: at(60_000), Sent: at(60_000),
			Other: at(21_000), TID: 4713, LastTID: 4713, Bytes: 1_200},
		Sleeps: []model.Sleep{{From: at(21_000), Runnable: at(46_500), To: at(46_850), On: "futex", Cut: true},
			{From: at(46_990), Runnable: at(59_900), To: at(59_900), On: "recvfrom 172.17.0.4:51234"}},
		Running: model.Some(int64(20 * ms)), Runqueue: model.Some(int64(100 * us)),
	}
	return s
}

// moments are those of the first one's phases.
func moments(start int64) model.Moments {
	at := func(us0 int64) int64 { return start + us0*us }
	return model.Moments{Connect: start, SYN: at(20), Established: at(44), Accepted: at(48_944),
		In:     model.Moves{Readable: at(40_000), Waking: at(48_974), Runnable: at(48_984), Oncpu: at(49_384), Called: at(49_390), First: at(49_394), Last: at(49_394), TID: 4712, LastTID: 4712, Bytes: 79},
		Out:    model.Moves{Oncpu: at(51_000), Called: at(51_194), First: at(51_200), Last: at(51_214), Sent: at(51_214), Acked: at(51_264), TID: 4712, LastTID: 4712, Bytes: 1_200},
		Sleeps: []model.Sleep{{From: at(50_900), Runnable: at(51_000), To: at(51_000), On: "futex", Cut: true}}, Running: model.Some(int64(1_706 * us)), Runqueue: model.Some(int64(0))}
}

func routes() []model.Route {
	return []model.Route{
		{Listener: "0.0.0.0:9000", Protocol: "http1", Method: "GET", Route: "/orders/{id}", Count: 8120, Errors: 3, TotalNS: waits(8120, 1_900*us, 51*ms), TTFBNS: waits(8120, 1_800*us, 50*ms),
			Phases: map[string]model.Distribution{"accept_queue": waits(900, 900*us, 48*ms), "app.running": waits(8120, 700*us, 3*ms), "app.blocked:futex": waits(40, 90*us, 2*ms)}},
		{Listener: "0.0.0.0:9000", Protocol: "http1", Method: "GET", Route: "/a.txt", Count: 71_234, TotalNS: waits(71_234, 300*us, 900*us)},
		{Listener: "0.0.0.0:9000", Protocol: "tcp", Count: 12, Errors: 12, TotalNS: waits(12, 3*ms, 4*ms)},
	}
}
