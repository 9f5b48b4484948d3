// SPDX-License-Identifier: Apache-2.0

package event

// Field names one optional part of an Event.
type Field uint8

// The fields, in the order in which an event line prints them.
const (
	FieldPID Field = iota
	FieldTID
	FieldComm
	FieldNSPID
	FieldContainer
	FieldUnit
	FieldCPU
	FieldConn
	FieldNetNS
	FieldProto
	FieldRole
	FieldLocal
	FieldRemote
	FieldListener
	FieldListenerConn
	FieldSYNQueue
	FieldSYNYoung
	FieldAcceptQueue
	FieldBacklog
	FieldBacklogAsked
	FieldCookie
	FieldStage
	FieldDropReason
	FieldSide
	FieldReason
	FieldErrno
	FieldCount
	FieldHandshakeNS
	FieldRTTNS
	FieldWaitNS
	FieldFD
	FieldBytes
	FieldBytesIn
	FieldBytesOut
	FieldDurationNS
	FieldRetransmits
	FieldOverflows
	FieldDrops
	FieldSkDrops
	FieldCookiesSent
	FieldCookiesOK
	FieldOpenFDs
	FieldFDLimit
	FieldPreExisting
	FieldQueued
	FieldName
	FieldPhase
	FieldID
	FieldWhere
	FieldListenOverflows
	FieldListenDrops
	FieldReqQFullDrop
	FieldReqQFullDoCookies
	FieldSyncookiesSent
	FieldSyncookiesRecv
	FieldSyncookiesFailed
	FieldEmbryonicRsts
	FieldSomaxConn
	FieldMaxSYNBacklog
	FieldSYNCookies
	FieldAbortOnOverflow
	FieldWatchedNS
	FieldRunningNS
	FieldRunqueueNS
	FieldBlockedNS
	FieldSwitches
	FieldMigrations
	FieldSyscalls
	FieldGaps
	FieldInGapsNS
	FieldPartGapsNS
	FieldCPUsAllowed
	FieldCPUQuota
	FieldDirection
	FieldPos
	FieldCalls
	FieldCall
	FieldLatencyNS
	FieldUnread
	FieldReadableTS
	FieldWakingTS
	FieldRunnableTS
	FieldOncpuTS
	FieldFirstTS
	FieldLastTS
	FieldLastTID
	FieldSentTS
	FieldAckedTS
	FieldNagleNS
	FieldWindowNS
	FieldOtherTS
	FieldMessages
	FieldOffNS
	FieldRanNS
	FieldOn
	FieldTarget
	FieldStack
	FieldEpFD
	FieldReady
	FieldMax
	FieldTimeoutMS
	FieldInsideNS
	FieldBusyNS
	FieldLoopKind
	FieldWaits
	FieldWakeups
	FieldMost
	FieldEmpty
	FieldPolls
	FieldSpurious
	FieldFailed
	FieldFDs
	FieldSockets
	FieldModes
	FieldInterest
	FieldAdded
	FieldModified
	FieldRemoved
	FieldReadied
	FieldReadiedTS
	FieldReadiedFDs
	FieldProtocol
	FieldSummary
	FieldPhases
	FieldStacks
	FieldTotalNS
	FieldTTFBNS
	FieldAckNS
	FieldMarks
	FieldConfidence
	FieldIncomplete
	FieldRing
	FieldOp
	FieldUserData
	FieldRes
	FieldHow
	FieldSetup
	FieldSQEntries
	FieldCQEntries
	FieldInFlight
	FieldOverflow
	FieldOps
	FieldSubmits
	FieldReaps

	fields
)

// fieldInfo names a field and says where in an Event it is; at returns a pointer of one of the types that the
// encoder and the decoder know.
type fieldInfo struct {
	name string
	at   func(*Event) any
}

var fieldTable = [fields]fieldInfo{
	FieldPID:               {"pid", func(e *Event) any { return &e.PID }},
	FieldTID:               {"tid", func(e *Event) any { return &e.TID }},
	FieldComm:              {"comm", func(e *Event) any { return &e.Comm }},
	FieldNSPID:             {"ns_pid", func(e *Event) any { return &e.NSPID }},
	FieldContainer:         {"container", func(e *Event) any { return &e.Container }},
	FieldUnit:              {"unit", func(e *Event) any { return &e.Unit }},
	FieldCPU:               {"cpu", func(e *Event) any { return &e.CPU }},
	FieldConn:              {"conn", func(e *Event) any { return &e.Conn }},
	FieldNetNS:             {"netns", func(e *Event) any { return &e.NetNS }},
	FieldProto:             {"proto", func(e *Event) any { return &e.Proto }},
	FieldRole:              {"role", func(e *Event) any { return &e.Role }},
	FieldLocal:             {"local", func(e *Event) any { return &e.Local }},
	FieldRemote:            {"remote", func(e *Event) any { return &e.Remote }},
	FieldListener:          {"listener", func(e *Event) any { return &e.Listener }},
	FieldListenerConn:      {"listener_conn", func(e *Event) any { return &e.ListenerConn }},
	FieldSYNQueue:          {"syn_queue", func(e *Event) any { return &e.SYNQueue }},
	FieldSYNYoung:          {"syn_young", func(e *Event) any { return &e.SYNYoung }},
	FieldAcceptQueue:       {"accept_queue", func(e *Event) any { return &e.AcceptQueue }},
	FieldBacklog:           {"backlog", func(e *Event) any { return &e.Backlog }},
	FieldBacklogAsked:      {"backlog_asked", func(e *Event) any { return &e.BacklogAsked }},
	FieldCookie:            {"cookie", func(e *Event) any { return &e.Cookie }},
	FieldStage:             {"stage", func(e *Event) any { return &e.Stage }},
	FieldDropReason:        {"drop_reason", func(e *Event) any { return &e.DropReason }},
	FieldSide:              {"side", func(e *Event) any { return &e.Side }},
	FieldReason:            {"reason", func(e *Event) any { return &e.Reason }},
	FieldErrno:             {"errno", func(e *Event) any { return &e.Errno }},
	FieldCount:             {"count", func(e *Event) any { return &e.Count }},
	FieldHandshakeNS:       {"handshake_ns", func(e *Event) any { return &e.HandshakeNS }},
	FieldRTTNS:             {"rtt_ns", func(e *Event) any { return &e.RTTNS }},
	FieldWaitNS:            {"wait_ns", func(e *Event) any { return &e.WaitNS }},
	FieldFD:                {"fd", func(e *Event) any { return &e.FD }},
	FieldBytes:             {"bytes", func(e *Event) any { return &e.Bytes }},
	FieldBytesIn:           {"bytes_in", func(e *Event) any { return &e.BytesIn }},
	FieldBytesOut:          {"bytes_out", func(e *Event) any { return &e.BytesOut }},
	FieldDurationNS:        {"duration_ns", func(e *Event) any { return &e.DurationNS }},
	FieldRetransmits:       {"retransmits", func(e *Event) any { return &e.Retransmits }},
	FieldOverflows:         {"overflows", func(e *Event) any { return &e.Overflows }},
	FieldDrops:             {"drops", func(e *Event) any { return &e.Drops }},
	FieldSkDrops:           {"sk_drops", func(e *Event) any { return &e.SkDrops }},
	FieldCookiesSent:       {"cookies_sent", func(e *Event) any { return &e.CookiesSent }},
	FieldCookiesOK:         {"cookies_ok", func(e *Event) any { return &e.CookiesOK }},
	FieldOpenFDs:           {"open_fds", func(e *Event) any { return &e.OpenFDs }},
	FieldFDLimit:           {"fd_limit", func(e *Event) any { return &e.FDLimit }},
	FieldPreExisting:       {"pre_existing", func(e *Event) any { return &e.PreExisting }},
	FieldQueued:            {"queued", func(e *Event) any { return &e.Queued }},
	FieldName:              {"name", func(e *Event) any { return &e.Name }},
	FieldPhase:             {"phase", func(e *Event) any { return &e.Phase }},
	FieldID:                {"id", func(e *Event) any { return &e.ID }},
	FieldWhere:             {"where", func(e *Event) any { return &e.Where }},
	FieldListenOverflows:   {"listen_overflows", func(e *Event) any { return &e.space().ListenOverflows }},
	FieldListenDrops:       {"listen_drops", func(e *Event) any { return &e.space().ListenDrops }},
	FieldReqQFullDrop:      {"req_q_full_drop", func(e *Event) any { return &e.space().ReqQFullDrop }},
	FieldReqQFullDoCookies: {"req_q_full_do_cookies", func(e *Event) any { return &e.space().ReqQFullDoCookies }},
	FieldSyncookiesSent:    {"syncookies_sent", func(e *Event) any { return &e.space().SyncookiesSent }},
	FieldSyncookiesRecv:    {"syncookies_recv", func(e *Event) any { return &e.space().SyncookiesRecv }},
	FieldSyncookiesFailed:  {"syncookies_failed", func(e *Event) any { return &e.space().SyncookiesFailed }},
	FieldEmbryonicRsts:     {"embryonic_rsts", func(e *Event) any { return &e.space().EmbryonicRsts }},
	FieldSomaxConn:         {"somaxconn", func(e *Event) any { return &e.space().SomaxConn }},
	FieldMaxSYNBacklog:     {"tcp_max_syn_backlog", func(e *Event) any { return &e.space().MaxSYNBacklog }},
	FieldSYNCookies:        {"tcp_syncookies", func(e *Event) any { return &e.space().SYNCookies }},
	FieldAbortOnOverflow:   {"tcp_abort_on_overflow", func(e *Event) any { return &e.space().AbortOnOverflow }},
	FieldWatchedNS:         {"watched_ns", func(e *Event) any { return &e.thread().WatchedNS }},
	FieldRunningNS:         {"running_ns", func(e *Event) any { return &e.thread().RunningNS }},
	FieldRunqueueNS:        {"runqueue_ns", func(e *Event) any { return &e.thread().RunqueueNS }},
	FieldBlockedNS:         {"blocked_ns", func(e *Event) any { return &e.thread().BlockedNS }},
	FieldSwitches:          {"switches", func(e *Event) any { return &e.thread().Switches }},
	FieldMigrations:        {"migrations", func(e *Event) any { return &e.thread().Migrations }},
	FieldSyscalls:          {"syscalls", func(e *Event) any { return &e.thread().Syscalls }},
	FieldGaps:              {"gaps", func(e *Event) any { return &e.thread().Gaps }},
	FieldInGapsNS:          {"in_gaps_ns", func(e *Event) any { return &e.thread().InGapsNS }},
	FieldPartGapsNS:        {"part_gaps_ns", func(e *Event) any { return &e.thread().PartGapsNS }},
	FieldCPUsAllowed:       {"cpus_allowed", func(e *Event) any { return &e.thread().CPUsAllowed }},
	FieldCPUQuota:          {"cpu_quota", func(e *Event) any { return &e.thread().CPUQuota }},
	FieldDirection:         {"direction", func(e *Event) any { return &e.turn().Direction }},
	FieldPos:               {"pos", func(e *Event) any { return &e.turn().Pos }},
	FieldCalls:             {"calls", func(e *Event) any { return &e.turn().Calls }},
	FieldCall:              {"call", func(e *Event) any { return &e.turn().Call }},
	FieldLatencyNS:         {"latency_ns", func(e *Event) any { return &e.turn().LatencyNS }},
	FieldUnread:            {"unread", func(e *Event) any { return &e.turn().Unread }},
	FieldReadableTS:        {"readable_ts", func(e *Event) any { return &e.turn().ReadableTS }},
	FieldWakingTS:          {"waking_ts", func(e *Event) any { return &e.turn().WakingTS }},
	FieldRunnableTS:        {"runnable_ts", func(e *Event) any { return &e.turn().RunnableTS }},
	FieldOncpuTS:           {"oncpu_ts", func(e *Event) any { return &e.turn().OncpuTS }},
	FieldFirstTS:           {"first_ts", func(e *Event) any { return &e.turn().FirstTS }},
	FieldLastTS:            {"last_ts", func(e *Event) any { return &e.turn().LastTS }},
	FieldLastTID:           {"last_tid", func(e *Event) any { return &e.turn().LastTID }},
	FieldSentTS:            {"sent_ts", func(e *Event) any { return &e.turn().SentTS }},
	FieldAckedTS:           {"acked_ts", func(e *Event) any { return &e.turn().AckedTS }},
	FieldNagleNS:           {"nagle_ns", func(e *Event) any { return &e.turn().NagleNS }},
	FieldWindowNS:          {"window_ns", func(e *Event) any { return &e.turn().WindowNS }},
	FieldOtherTS:           {"other_ts", func(e *Event) any { return &e.turn().OtherTS }},
	FieldMessages:          {"messages", func(e *Event) any { return &e.turn().Messages }},
	FieldOffNS:             {"off_ns", func(e *Event) any { return &e.turn().OffNS }},
	FieldRanNS:             {"ran_ns", func(e *Event) any { return &e.turn().RanNS }},
	FieldOn:                {"on", func(e *Event) any { return &e.turn().On }},
	FieldTarget:            {"target", func(e *Event) any { return &e.turn().Target }},
	FieldStack:             {"stack", func(e *Event) any { return &e.turn().Stack }},
	FieldEpFD:              {"epfd", func(e *Event) any { return &e.loop().EpFD }},
	FieldReady:             {"ready", func(e *Event) any { return &e.loop().Ready }},
	FieldMax:               {"max", func(e *Event) any { return &e.loop().Max }},
	FieldTimeoutMS:         {"timeout_ms", func(e *Event) any { return &e.loop().TimeoutMS }},
	FieldInsideNS:          {"blocked_ns", func(e *Event) any { return &e.loop().InsideNS }},
	FieldBusyNS:            {"busy_ns", func(e *Event) any { return &e.loop().BusyNS }},
	FieldLoopKind:          {"kind", func(e *Event) any { return &e.loop().LoopKind }},
	FieldWaits:             {"waits", func(e *Event) any { return &e.loop().Waits }},
	FieldWakeups:           {"wakeups", func(e *Event) any { return &e.loop().Wakeups }},
	FieldMost:              {"most", func(e *Event) any { return &e.loop().Most }},
	FieldEmpty:             {"empty", func(e *Event) any { return &e.loop().Empty }},
	FieldPolls:             {"polls", func(e *Event) any { return &e.loop().Polls }},
	FieldSpurious:          {"spurious", func(e *Event) any { return &e.loop().Spurious }},
	FieldFailed:            {"failed", func(e *Event) any { return &e.loop().Failed }},
	FieldFDs:               {"fds", func(e *Event) any { return &e.loop().FDs }},
	FieldSockets:           {"sockets", func(e *Event) any { return &e.loop().Sockets }},
	FieldModes:             {"modes", func(e *Event) any { return &e.loop().Modes }},
	FieldInterest:          {"interest", func(e *Event) any { return &e.loop().Interest }},
	FieldAdded:             {"added", func(e *Event) any { return &e.loop().Added }},
	FieldModified:          {"modified", func(e *Event) any { return &e.loop().Modified }},
	FieldRemoved:           {"removed", func(e *Event) any { return &e.loop().Removed }},
	FieldReadied:           {"readied", func(e *Event) any { return &e.loop().Readied }},
	FieldReadiedTS:         {"readied_ts", func(e *Event) any { return &e.loop().ReadiedTS }},
	FieldReadiedFDs:        {"readied_fds", func(e *Event) any { return &e.loop().ReadiedFDs }},
	FieldProtocol:          {"protocol", func(e *Event) any { return &e.result().Protocol }},
	FieldSummary:           {"summary", func(e *Event) any { return &e.result().Summary }},
	FieldPhases:            {"phases", func(e *Event) any { return &e.result().Phases }},
	FieldStacks:            {"stacks", func(e *Event) any { return &e.result().Stacks }},
	FieldTotalNS:           {"total_ns", func(e *Event) any { return &e.result().TotalNS }},
	FieldTTFBNS:            {"ttfb_ns", func(e *Event) any { return &e.result().TTFBNS }},
	FieldAckNS:             {"ack_ns", func(e *Event) any { return &e.result().AckNS }},
	FieldMarks:             {"marks", func(e *Event) any { return &e.result().Marks }},
	FieldConfidence:        {"confidence", func(e *Event) any { return &e.result().Confidence }},
	FieldIncomplete:        {"incomplete", func(e *Event) any { return &e.result().Incomplete }},
	FieldRing:              {"ring", func(e *Event) any { return &e.uring().Ring }},
	FieldOp:                {"op", func(e *Event) any { return &e.uring().Op }},
	FieldUserData:          {"user_data", func(e *Event) any { return &e.uring().UserData }},
	FieldRes:               {"res", func(e *Event) any { return &e.uring().Res }},
	FieldHow:               {"how", func(e *Event) any { return &e.uring().How }},
	FieldSetup:             {"setup", func(e *Event) any { return &e.uring().Setup }},
	FieldSQEntries:         {"sq_entries", func(e *Event) any { return &e.uring().SQEntries }},
	FieldCQEntries:         {"cq_entries", func(e *Event) any { return &e.uring().CQEntries }},
	FieldInFlight:          {"in_flight", func(e *Event) any { return &e.uring().InFlight }},
	FieldOverflow:          {"overflow", func(e *Event) any { return &e.uring().Overflow }},
	FieldOps:               {"ops", func(e *Event) any { return &e.uring().Ops }},
	FieldSubmits:           {"submits", func(e *Event) any { return &e.uring().Submits }},
	FieldReaps:             {"reaps", func(e *Event) any { return &e.uring().Reaps }},
}

// fieldKeys are the fields' keys as a line has them.
var fieldKeys = func() (keys [fields]string) {
	for f := range fields {
		keys[f] = `,"` + fieldTable[f].name + `":`
	}
	return keys
}()

// String returns the field's key in event lines.
func (f Field) String() string { return fieldTable[f].name }
