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
	FieldAcceptQueue
	FieldBacklog
	FieldBacklogAsked
	FieldCookie
	FieldStage
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
	FieldPreExisting
	FieldQueued
	FieldName
	FieldPhase
	FieldID
	FieldWhere

	fields
)

// fieldInfo names a field and says where in an Event it is; at returns a pointer of one of the types that the
// encoder and the decoder know.
type fieldInfo struct {
	name string
	at   func(*Event) any
}

var fieldTable = [fields]fieldInfo{
	FieldPID:          {"pid", func(e *Event) any { return &e.PID }},
	FieldTID:          {"tid", func(e *Event) any { return &e.TID }},
	FieldComm:         {"comm", func(e *Event) any { return &e.Comm }},
	FieldNSPID:        {"ns_pid", func(e *Event) any { return &e.NSPID }},
	FieldContainer:    {"container", func(e *Event) any { return &e.Container }},
	FieldUnit:         {"unit", func(e *Event) any { return &e.Unit }},
	FieldCPU:          {"cpu", func(e *Event) any { return &e.CPU }},
	FieldConn:         {"conn", func(e *Event) any { return &e.Conn }},
	FieldNetNS:        {"netns", func(e *Event) any { return &e.NetNS }},
	FieldProto:        {"proto", func(e *Event) any { return &e.Proto }},
	FieldRole:         {"role", func(e *Event) any { return &e.Role }},
	FieldLocal:        {"local", func(e *Event) any { return &e.Local }},
	FieldRemote:       {"remote", func(e *Event) any { return &e.Remote }},
	FieldListener:     {"listener", func(e *Event) any { return &e.Listener }},
	FieldListenerConn: {"listener_conn", func(e *Event) any { return &e.ListenerConn }},
	FieldSYNQueue:     {"syn_queue", func(e *Event) any { return &e.SYNQueue }},
	FieldAcceptQueue:  {"accept_queue", func(e *Event) any { return &e.AcceptQueue }},
	FieldBacklog:      {"backlog", func(e *Event) any { return &e.Backlog }},
	FieldBacklogAsked: {"backlog_asked", func(e *Event) any { return &e.BacklogAsked }},
	FieldCookie:       {"cookie", func(e *Event) any { return &e.Cookie }},
	FieldStage:        {"stage", func(e *Event) any { return &e.Stage }},
	FieldSide:         {"side", func(e *Event) any { return &e.Side }},
	FieldReason:       {"reason", func(e *Event) any { return &e.Reason }},
	FieldErrno:        {"errno", func(e *Event) any { return &e.Errno }},
	FieldCount:        {"count", func(e *Event) any { return &e.Count }},
	FieldHandshakeNS:  {"handshake_ns", func(e *Event) any { return &e.HandshakeNS }},
	FieldRTTNS:        {"rtt_ns", func(e *Event) any { return &e.RTTNS }},
	FieldWaitNS:       {"wait_ns", func(e *Event) any { return &e.WaitNS }},
	FieldFD:           {"fd", func(e *Event) any { return &e.FD }},
	FieldBytes:        {"bytes", func(e *Event) any { return &e.Bytes }},
	FieldBytesIn:      {"bytes_in", func(e *Event) any { return &e.BytesIn }},
	FieldBytesOut:     {"bytes_out", func(e *Event) any { return &e.BytesOut }},
	FieldDurationNS:   {"duration_ns", func(e *Event) any { return &e.DurationNS }},
	FieldRetransmits:  {"retransmits", func(e *Event) any { return &e.Retransmits }},
	FieldOverflows:    {"overflows", func(e *Event) any { return &e.Overflows }},
	FieldDrops:        {"drops", func(e *Event) any { return &e.Drops }},
	FieldPreExisting:  {"pre_existing", func(e *Event) any { return &e.PreExisting }},
	FieldQueued:       {"queued", func(e *Event) any { return &e.Queued }},
	FieldName:         {"name", func(e *Event) any { return &e.Name }},
	FieldPhase:        {"phase", func(e *Event) any { return &e.Phase }},
	FieldID:           {"id", func(e *Event) any { return &e.ID }},
	FieldWhere:        {"where", func(e *Event) any { return &e.Where }},
}

// String returns the field's key in event lines.
func (f Field) String() string { return fieldTable[f].name }
