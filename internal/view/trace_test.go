// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"net/netip"
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

func TestTraceLines(t *testing.T) {
	clock := view.Clock{Offset: viewtest.Wall, Start: viewtest.Start}
	local, remote := netip.MustParseAddrPort("127.0.0.1:8080"), netip.MustParseAddrPort("127.0.0.1:51234")
	ends := []event.Field{event.FieldLocal, event.FieldRemote, event.FieldRole, event.FieldPID, event.FieldComm}
	base := event.Event{TS: viewtest.Now, Role: event.RoleServer, Local: local, Remote: remote, Listener: local, PID: 812, Comm: "nginx"}
	base.Set(ends...)
	with := func(f func(*event.Event), fields ...event.Field) event.Event {
		e := base
		f(&e)
		e.Set(fields...)
		return e
	}
	all := []event.Event{
		with(func(e *event.Event) {
			e.Kind, e.Role, e.Comm, e.PID = event.Connect, event.RoleClient, "サーバー", 4194304
		}),
		with(func(e *event.Event) {
			e.Kind = event.Connect
			e.Forget(event.FieldLocal)
			e.Forget(event.FieldPID)
			e.Forget(event.FieldComm)
		}),
		with(func(e *event.Event) {
			e.Kind, e.SYNQueue, e.AcceptQueue, e.Backlog, e.Cookie = event.SYN, 3, 129, 128, true
			e.Forget(event.FieldLocal)
		}, event.FieldListener, event.FieldSYNQueue, event.FieldAcceptQueue, event.FieldBacklog, event.FieldCookie),
		with(func(e *event.Event) { e.Kind, e.HandshakeNS, e.RTTNS = event.Established, 21_000, 84_000 }, event.FieldHandshakeNS, event.FieldRTTNS),
		with(func(e *event.Event) { e.Kind, e.WaitNS, e.FD, e.AcceptQueue = event.Accept, 14_000, 12, 0 }, event.FieldWaitNS, event.FieldFD, event.FieldAcceptQueue),
		with(func(e *event.Event) { e.Kind, e.Side, e.Reason = event.Reset, event.SideRemote, event.ReasonReset }, event.FieldSide, event.FieldReason),
		with(func(e *event.Event) {
			e.Kind, e.Side, e.Reason, e.BytesIn, e.BytesOut, e.DurationNS, e.Retransmits = event.Close, event.SideLocal, event.ReasonFIN, 79, 12_345, 48_000_000, 2
		}, event.FieldSide, event.FieldReason, event.FieldBytesIn, event.FieldBytesOut, event.FieldDurationNS, event.FieldRetransmits),
		with(func(e *event.Event) { e.Kind, e.Reason, e.Errno = event.Close, event.ReasonRefused, 111 }, event.FieldReason, event.FieldErrno),
		with(func(e *event.Event) { e.Kind, e.Backlog, e.BacklogAsked = event.Listen, 128, 1024 }, event.FieldListener, event.FieldSYNQueue, event.FieldAcceptQueue, event.FieldBacklog, event.FieldBacklogAsked),
		with(func(e *event.Event) { e.Kind, e.Backlog, e.AcceptQueue, e.PreExisting = event.Listen, 128, 3, true }, event.FieldListener, event.FieldSYNQueue, event.FieldAcceptQueue, event.FieldBacklog, event.FieldPreExisting),
		with(func(e *event.Event) { e.Kind, e.Comm = event.Unlisten, "a\x1b[31m" }, event.FieldListener),
		with(func(e *event.Event) { e.Kind, e.Backlog, e.AcceptQueue = event.Unlisten, 2, 3 }, event.FieldListener, event.FieldSYNQueue, event.FieldAcceptQueue, event.FieldBacklog),
		with(func(e *event.Event) { e.Kind, e.SYNQueue, e.Overflows, e.Drops = event.Queue, 0, 5, 7 }, event.FieldSYNQueue, event.FieldOverflows, event.FieldDrops),
		with(func(e *event.Event) {
			e.Kind, e.SYNQueue, e.SYNYoung, e.AcceptQueue, e.Backlog, e.CookiesSent, e.CookiesOK = event.Queue, 9, 4, 2, 8, 31, 1
		}, event.FieldSYNQueue, event.FieldSYNYoung, event.FieldAcceptQueue, event.FieldBacklog, event.FieldCookiesSent, event.FieldCookiesOK),
		with(func(e *event.Event) {
			e.Kind, e.Stage, e.Reason, e.Count, e.SYNQueue, e.Backlog = event.SYNDrop, event.StageSYN, event.ReasonSYNQueueFull, 31, 9, 8
		}, event.FieldListener, event.FieldStage, event.FieldReason, event.FieldCount, event.FieldSYNQueue, event.FieldBacklog),
		with(func(e *event.Event) {
			e.Kind, e.Stage, e.Reason, e.DropReason, e.AcceptQueue, e.Backlog = event.SYNDrop, event.StageACK, event.ReasonAcceptQueueFull, "TCP_LISTEN_OVERFLOW", 9, 8
		}, event.FieldStage, event.FieldReason, event.FieldDropReason, event.FieldAcceptQueue, event.FieldBacklog),
		*(&event.Event{TS: viewtest.Now, Kind: event.SYNDrop, NetNS: 4026531840, Count: 1}).Set(event.FieldNetNS, event.FieldCount),
		with(func(e *event.Event) {
			e.Kind, e.Errno, e.Count, e.OpenFDs, e.FDLimit = event.AcceptError, 24, 1000, 1024, 1024
		},
			event.FieldListener, event.FieldErrno, event.FieldCount, event.FieldOpenFDs, event.FieldFDLimit),
		*(&event.Event{TS: viewtest.Now, Kind: event.NetNS, NetNS: 4026531840, Space: &event.Space{ListenOverflows: 7, SomaxConn: 4096, SYNCookies: 0}}).
			Set(event.FieldNetNS, event.FieldListenOverflows, event.FieldListenDrops, event.FieldSomaxConn, event.FieldSYNCookies),
		*(&event.Event{TS: viewtest.Now, Kind: event.Thread, PID: 812, TID: 813, Comm: "nginx", Thread: &event.ThreadTimes{WatchedNS: 10e9, RunningNS: 4e8, RunqueueNS: 1e8,
			BlockedNS: map[string]int64{"futex": 1e8, "clock_nanosleep": 9e9, "accept4": 3e8, "pread64": 1e8}}}).Set(event.FieldPID, event.FieldTID, event.FieldComm,
			event.FieldWatchedNS, event.FieldRunningNS, event.FieldRunqueueNS, event.FieldBlockedNS),
		with(func(e *event.Event) {
			e.Kind, e.Bytes, e.Turn = event.Readable, 34, &event.Moves{Unread: 1234}
		}, event.FieldBytes, event.FieldUnread),
		with(func(e *event.Event) {
			e.Kind, e.Bytes, e.FD, e.Turn = event.Read, 34, 8, &event.Moves{Direction: event.DirIn, Call: "recvfrom", LatencyNS: 12_000, Unread: 1200}
		}, event.FieldBytes, event.FieldFD, event.FieldCall, event.FieldLatencyNS, event.FieldUnread),
		with(func(e *event.Event) {
			e.Kind, e.Bytes, e.Turn = event.Write, 0, &event.Moves{Direction: event.DirOut, Call: "a\x1b[31m"}
		}, event.FieldBytes, event.FieldCall),
		with(func(e *event.Event) {
			e.Kind, e.Bytes, e.FD, e.Turn = event.Turn, 70_000, 8, &event.Moves{Direction: event.DirOut, Calls: 3, Call: "sendto", NagleNS: 40e6, WindowNS: 2e6}
		}, event.FieldBytes, event.FieldFD, event.FieldDirection, event.FieldCalls, event.FieldCall, event.FieldNagleNS, event.FieldWindowNS),
		with(func(e *event.Event) {
			e.Kind, e.TID, e.Turn, e.Thread = event.Offcpu, 813, &event.Moves{OffNS: 1_900_000, On: "read", Target: "10.0.0.9:5432", Stack: []string{"db.Query"}}, &event.ThreadTimes{RunqueueNS: 1172}
		}, event.FieldTID, event.FieldOffNS, event.FieldOn, event.FieldTarget, event.FieldStack, event.FieldRunqueueNS),
		with(func(e *event.Event) {
			e.Kind, e.TID, e.Turn = event.Oncpu, 813, &event.Moves{Stack: []string{"hash.Sum"}}
		}, event.FieldTID, event.FieldStack),
		with(func(e *event.Event) {
			e.Kind, e.Result = event.Exchange, &event.Outcome{Protocol: "http1", Summary: "GET /x/\x1b 200", TotalNS: 264_000, TTFBNS: 250_000, Phases: map[string]int64{"accept_queue": 78_000, "app.blocked:futex": 186_000}, Confidence: "thread", Incomplete: true}
		}, event.FieldProtocol, event.FieldSummary, event.FieldTotalNS, event.FieldTTFBNS, event.FieldPhases, event.FieldConfidence, event.FieldIncomplete),
		with(func(e *event.Event) { e.Kind, e.Name, e.Phase, e.ID = event.Mark, "parse", "begin", 7 }, event.FieldName, event.FieldPhase, event.FieldID),
		*(&event.Event{TS: viewtest.Now, Kind: event.Lost, Where: "ring", Count: 3}).Set(event.FieldWhere, event.FieldCount),
		with(func(e *event.Event) {
			e.Kind, e.Local, e.Remote = event.Retransmit, netip.MustParseAddrPort("[2001:db8:1234:5678:9abc:def0:1234:5678]:443"), netip.MustParseAddrPort("[2001:db8::1]:50000")
		}),
	}
	lines := []string{view.TraceHeader(clock)}
	for i := range all {
		lines = append(lines, view.TraceLine(&all[i], clock))
	}
	lines = append(lines, view.TraceLine(&all[3], view.Clock{Start: viewtest.Start}))
	golden(t, "trace.txt", strings.Join(lines, "\n")+"\n")
}
