// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"fmt"
	"net/netip"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"

	"golang.org/x/sys/unix"
)

// decoder turns records into events. It keeps the names that it has seen, so that an event costs no allocation.
type decoder struct {
	names   map[[commLen]byte]string
	reasons map[uint16]string // enum skb_drop_reason of this kernel
	calls   []string          // system calls, by number
	// countsCalls: the programs count the system calls of threads.
	countsCalls bool
	// tellsSYNs: each SYN is told, or counted in an event.
	tellsSYNs bool
	// stack is what stands behind the last record; nil: nothing does. It is valid as long as the record.
	stack *bpf.KernelStack
}

const maxNames = 4096

func newDecoder() decoder { return decoder{names: map[[commLen]byte]string{}, calls: syscallNames()} }

// name interns a comm.
func (d *decoder) name(raw [commLen]byte) string {
	if s, ok := d.names[raw]; ok {
		return s
	}
	if len(d.names) >= maxNames {
		clear(d.names)
	}
	s := cString(raw[:])
	d.names[raw] = s
	return s
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// record views raw bytes as a wire struct, or returns nil if they are too few.
func record[T any](raw []byte) *T {
	if len(raw) < int(unsafe.Sizeof(*new(T))) {
		return nil
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw)))
}

// behind views what follows a wire struct; nil: nothing does.
func behind[T, More any](raw []byte) *More {
	if n := int(unsafe.Sizeof(*new(T))); len(raw) > n {
		return record[More](raw[n:])
	}
	return nil
}

// decode reads one record of the ring or of an iterator. The record must be aligned to eight bytes.
func (d *decoder) decode(raw []byte, e *event.Event) error {
	head := record[bpf.KernelEvent](raw)
	if head == nil {
		return fmt.Errorf("record of %d bytes: shorter than its head", len(raw))
	}
	*e = event.Event{TS: int64(head.Ts), CPU: head.Cpu}
	e.Set(event.FieldCPU)
	ok := false
	switch bpf.KernelEventKind(head.Kind) {
	case bpf.KernelEventKindEVENT_CONNECT:
		e.Kind, ok = event.Connect, true
	case bpf.KernelEventKindEVENT_RETRANSMIT:
		e.Kind, ok = event.Retransmit, true
	case bpf.KernelEventKindEVENT_RESET:
		e.Kind, ok = event.Reset, true
	case bpf.KernelEventKindEVENT_ESTABLISHED:
		ok = d.established(record[bpf.KernelEstablishedEvent](raw), e)
	case bpf.KernelEventKindEVENT_ACCEPT:
		ok = d.accept(record[bpf.KernelAcceptEvent](raw), e)
	case bpf.KernelEventKindEVENT_CLOSE:
		ok = d.close(record[bpf.KernelCloseEvent](raw), e)
	case bpf.KernelEventKindEVENT_SYN:
		ok = d.queue(record[bpf.KernelQueueEvent](raw), e, event.SYN)
	case bpf.KernelEventKindEVENT_LISTEN:
		ok = d.queue(record[bpf.KernelQueueEvent](raw), e, event.Listen)
	case bpf.KernelEventKindEVENT_UNLISTEN:
		ok = d.queue(record[bpf.KernelQueueEvent](raw), e, event.Unlisten)
	case bpf.KernelEventKindEVENT_QUEUE:
		ok = d.sample(record[bpf.KernelSampleEvent](raw), e)
	case bpf.KernelEventKindEVENT_SYN_DROP:
		ok = d.drop(record[bpf.KernelDropEvent](raw), e)
	case bpf.KernelEventKindEVENT_ACCEPT_ERROR:
		ok = d.acceptError(record[bpf.KernelAcceptErrorEvent](raw), e)
	case bpf.KernelEventKindEVENT_OFFCPU:
		ok = d.offcpu(record[bpf.KernelOffcpuEvent](raw), e)
		d.stack = behind[bpf.KernelOffcpuEvent, bpf.KernelStack](raw)
	case bpf.KernelEventKindEVENT_ONCPU:
		e.Kind, e.Turn, ok = event.Oncpu, &event.Moves{}, true
		d.stack = behind[bpf.KernelEvent, bpf.KernelStack](raw)
	case bpf.KernelEventKindEVENT_TURN:
		ok = d.turn(record[bpf.KernelTurnEvent](raw), e)
	case bpf.KernelEventKindEVENT_WAIT:
		ok = d.wait(record[bpf.KernelWaitEvent](raw), e)
	case bpf.KernelEventKindEVENT_STALL:
		ok = d.stall(record[bpf.KernelStallEvent](raw), e)
		d.stack = behind[bpf.KernelStallEvent, bpf.KernelStack](raw)
	case bpf.KernelEventKindEVENT_READ:
		ok = d.move(raw, e, event.Read)
	case bpf.KernelEventKindEVENT_WRITE:
		ok = d.move(raw, e, event.Write)
	case bpf.KernelEventKindEVENT_READABLE:
		ok = d.readable(record[bpf.KernelMoveEvent](raw), e)
	case bpf.KernelEventKindEVENT_URING_SUBMIT:
		ok = d.operation(record[bpf.KernelUringEvent](raw), event.UringSubmit, e)
	case bpf.KernelEventKindEVENT_URING_COMPLETE:
		ok = d.operation(record[bpf.KernelUringEvent](raw), event.UringComplete, e)
	case bpf.KernelEventKindEVENT_MARK:
		ok = d.mark(record[bpf.KernelMarkEvent](raw), e)
	case bpf.KernelEventKindEVENT_THREAD:
		ok = d.ended(record[bpf.KernelThreadEvent](raw), e)
	default:
		return fmt.Errorf("record of unknown kind %d", head.Kind)
	}
	if !ok {
		return fmt.Errorf("record of kind %d is too short: %d bytes", head.Kind, len(raw))
	}
	d.head(head, e)
	return nil
}

// head fills in what all kinds have.
func (d *decoder) head(h *bpf.KernelEvent, e *event.Event) {
	has := bpf.KernelEventHas(h.Has)
	if h.Conn != 0 {
		e.Conn = h.Conn
		e.Set(event.FieldConn)
	}
	switch e.Kind {
	case event.Mark, event.Thread, event.EpollWait, event.LoopBlocked, event.UringSubmit, event.UringComplete:
	default:
		e.Proto = "tcp"
		e.Set(event.FieldProto)
	}
	if h.Netns != 0 {
		e.NetNS = h.Netns
		e.Set(event.FieldNetNS)
	}
	if has&bpf.KernelEventHasHAS_OWNER != 0 {
		e.PID, e.Comm = h.Pid, d.name(h.Comm)
		e.Set(event.FieldPID, event.FieldComm)
		if h.Tid != 0 { // it is for sockets that were there before
			e.TID = h.Tid
			e.Set(event.FieldTID)
		}
	}
	if has&bpf.KernelEventHasHAS_LOCAL != 0 {
		e.Local = addrPort(h.Family, h.Laddr, h.Lport)
		e.Set(event.FieldLocal)
	}
	if has&bpf.KernelEventHasHAS_REMOTE != 0 && e.Kind != event.Offcpu { // there it is what the thread waited for
		e.Remote = addrPort(h.Family, h.Raddr, h.Rport)
		e.Set(event.FieldRemote)
	}
	if has&bpf.KernelEventHasHAS_LISTENER != 0 {
		e.ListenerConn = h.Listener
		e.Set(event.FieldListenerConn)
		if h.ListenerPort != 0 {
			e.Listener = addrPort(h.ListenerFamily, h.ListenerAddr, h.ListenerPort)
			e.Set(event.FieldListener)
		}
	}
	if has&bpf.KernelEventHasHAS_PRE_EXISTING != 0 {
		e.PreExisting = true
		e.Set(event.FieldPreExisting)
	}
	d.role(h, e)
	d.ending(h, e)
}

func (d *decoder) role(h *bpf.KernelEvent, e *event.Event) {
	switch bpf.KernelSockRole(h.Role) {
	case bpf.KernelSockRoleROLE_CLIENT:
		e.Role = event.RoleClient
	case bpf.KernelSockRoleROLE_SERVER:
		e.Role = event.RoleServer
	default:
		return
	}
	e.Set(event.FieldRole)
}

// ending fills in side and reason.
func (d *decoder) ending(h *bpf.KernelEvent, e *event.Event) {
	switch bpf.KernelEventSide(h.Side) {
	case bpf.KernelEventSideSIDE_LOCAL:
		e.Side = event.SideLocal
		e.Set(event.FieldSide)
	case bpf.KernelEventSideSIDE_REMOTE:
		e.Side = event.SideRemote
		e.Set(event.FieldSide)
	}
	switch bpf.KernelEndReason(h.Reason) {
	case bpf.KernelEndReasonREASON_FIN:
		e.Reason = event.ReasonFIN
	case bpf.KernelEndReasonREASON_ABORTED:
		e.Reason = event.ReasonAborted
	case bpf.KernelEndReasonREASON_LISTENER:
		e.Reason = event.ReasonListenerEnd
	case bpf.KernelEndReasonREASON_SYNACK:
		e.Reason = event.ReasonSYNACK
	case bpf.KernelEndReasonREASON_ERROR:
		var side string
		e.Reason, side = failure(unix.Errno(e.Errno))
		if side != "" {
			e.Side = side
			e.Set(event.FieldSide)
		}
	default:
		return
	}
	e.Set(event.FieldReason)
}

// failure names the reason behind an error on a socket, and which side it came from.
func failure(errno unix.Errno) (reason, side string) {
	switch errno {
	case unix.ECONNREFUSED:
		return event.ReasonRefused, event.SideRemote
	case unix.ETIMEDOUT:
		return event.ReasonTimeout, event.SideLocal
	case unix.ECONNRESET, unix.EPIPE: // EPIPE: a RST after the peer's FIN (tcp_reset)
		return event.ReasonReset, event.SideRemote
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.ENONET, unix.ENOPROTOOPT, unix.EACCES:
		return event.ReasonUnreachable, ""
	}
	return event.ReasonOther, ""
}

func (d *decoder) established(r *bpf.KernelEstablishedEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = event.Established
	has := bpf.KernelEventHas(r.E.Has)
	if has&bpf.KernelEventHasHAS_HANDSHAKE != 0 {
		e.HandshakeNS = int64(r.HandshakeNs)
		e.Set(event.FieldHandshakeNS)
	}
	if has&bpf.KernelEventHasHAS_QUEUED != 0 {
		e.Queued = true
		e.Set(event.FieldQueued)
	}
	d.rtt(&r.E, r.RttUs, e)
	return true
}

func (d *decoder) rtt(h *bpf.KernelEvent, us uint32, e *event.Event) {
	if bpf.KernelEventHas(h.Has)&bpf.KernelEventHasHAS_RTT != 0 {
		e.RTTNS = int64(us) * 1000
		e.Set(event.FieldRTTNS)
	}
}

func (d *decoder) accept(r *bpf.KernelAcceptEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = event.Accept
	has := bpf.KernelEventHas(r.E.Has)
	if has&bpf.KernelEventHasHAS_WAIT != 0 {
		e.WaitNS = int64(r.WaitNs)
		e.Set(event.FieldWaitNS)
	}
	if has&bpf.KernelEventHasHAS_FD != 0 {
		e.FD = r.Fd
		e.Set(event.FieldFD)
	}
	if has&bpf.KernelEventHasHAS_QUEUES != 0 {
		e.AcceptQueue, e.Backlog = r.AcceptQueue, r.Backlog
		e.Set(event.FieldAcceptQueue, event.FieldBacklog)
	}
	if has&bpf.KernelEventHasHAS_ELSEWHERE != 0 {
		e.Reason = event.ReasonElsewhere
		e.Set(event.FieldReason)
	}
	return true
}

func (d *decoder) close(r *bpf.KernelCloseEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = event.Close
	has := bpf.KernelEventHas(r.E.Has)
	if has&bpf.KernelEventHasHAS_ERROR != 0 {
		e.Errno = r.Error
		e.Set(event.FieldErrno)
	}
	if has&bpf.KernelEventHasHAS_TOTALS != 0 {
		e.BytesIn, e.BytesOut = r.BytesIn, r.BytesOut
		e.Set(event.FieldBytesIn, event.FieldBytesOut)
	}
	if has&bpf.KernelEventHasHAS_DURATION != 0 {
		e.DurationNS = int64(r.DurationNs)
		e.Set(event.FieldDurationNS)
	}
	e.Retransmits = r.Retransmits
	e.Set(event.FieldRetransmits)
	d.rtt(&r.E, r.RttUs, e)
	return true
}

func (d *decoder) queue(r *bpf.KernelQueueEvent, e *event.Event, kind event.Kind) bool {
	if r == nil {
		return false
	}
	e.Kind = kind
	has := bpf.KernelEventHas(r.E.Has)
	if has&bpf.KernelEventHasHAS_QUEUES != 0 {
		e.AcceptQueue, e.Backlog = r.AcceptQueue, r.Backlog
		e.Set(event.FieldAcceptQueue, event.FieldBacklog)
	}
	if has&bpf.KernelEventHasHAS_SYN_QUEUE != 0 {
		e.SYNQueue = r.SynQueue
		e.Set(event.FieldSYNQueue)
	}
	if has&bpf.KernelEventHasHAS_DROPS != 0 && kind == event.Queue {
		e.SkDrops = r.Drops
		e.Set(event.FieldSkDrops)
	}
	if kind == event.SYN {
		e.Cookie = has&bpf.KernelEventHasHAS_NEW_COOKIE != 0
		e.Set(event.FieldCookie)
	}
	if has&bpf.KernelEventHasHAS_ASKED != 0 {
		e.BacklogAsked = int32(r.Asked)
		e.Set(event.FieldBacklogAsked)
	}
	if has&bpf.KernelEventHasHAS_LOCAL != 0 && kind != event.SYN { // the socket is the listener itself
		e.Listener, e.ListenerConn = addrPort(r.E.Family, r.E.Laddr, r.E.Lport), r.E.Conn
		e.Set(event.FieldListener, event.FieldListenerConn)
	}
	return true
}

func (d *decoder) mark(r *bpf.KernelMarkEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = event.Mark
	e.Name, e.ID, e.Phase = cString(r.Name[:]), r.Id, "begin"
	if r.Phase != 0 {
		e.Phase = "end"
	}
	e.Set(event.FieldName, event.FieldID, event.FieldPhase)
	return true
}

func addrPort(family uint8, raw [16]byte, port uint16) netip.AddrPort {
	if family == 4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(raw).Unmap(), port)
}
