// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// ExplainRecord says in a few sentences what the kernel does with a record now. The text is "" if there is nothing to say.
func ExplainRecord(in Input, key Key) (title, text string) {
	switch key.Kind {
	case ServiceRecord:
		for _, s := range services(in.Snap) {
			if serviceKey(s) == key {
				return ExplainRecord(in, listenerKey(s.top()))
			}
		}
	case ExchangeRecord:
		if x := findExchange(in.Snap, key); x != nil {
			return requestText(x), explainExchange(x)
		}
	case PhaseRecord:
		if x, phase := findPhase(in.Snap, key); x != nil {
			return phaseText(phase), strings.TrimSpace(phaseWords[phase][1] + ". " + phaseCause(phase))
		}
	case LaneRecord:
		if x, l := findLane(in.Snap, key); l != nil {
			return l.name(), strings.TrimPrefix(l.words(x.SeenNS()/1000)+". "+laneWords, ". ")
		}
	case ListenerRecord:
		if l := findListener(in.Snap, key.ID); l != nil {
			return comm(l.Process) + " " + l.Local, explainListenerNow(in.Snap, l)
		}
	case ConnectionRecord:
		if c := findConnection(in.Snap, key.ID); c != nil {
			return comm(c.Process) + " " + address(c.Local), explainConnectionNow(c)
		}
		return ExplainRecord(in, Key{Kind: ListenerRecord, ID: key.ID}) // an event of a listener
	case WorkerRecord:
		if w := findWorker(in.Snap, key); w != nil {
			return Clean(w.Comm) + " " + workerNumber(w), explainWorkerNow(in, w)
		}
	case LoopRecord:
		if l := findLoop(in.Snap, key); l != nil {
			return Clean(l.Comm) + " " + loopPlace(l), explainLoopNow(in, l)
		}
	case RingRecord:
		if r := findRing(in.Snap, key); r != nil {
			return fmt.Sprintf("%s %d ring %d", Clean(r.Comm), r.PID, r.Ring), explainRingNow(in, r)
		}
	case FindingRecord:
		if f := findFinding(in.Snap, key); f != nil {
			return f.ID + " " + f.Subject, explainFindingNow(f)
		}
	case EventRecord:
		kind, _, _ := strings.Cut(key.Name, " ")
		return kind, eventTexts[kind]
	}
	return "", ""
}

// explainFindingNow says what the kernel does and what to change.
func explainFindingNow(f *model.Finding) string {
	return Clean(f.Text) + ".\n\n" + Clean(f.Mechanism) + "\n\n" + Clean(f.Remedy)
}

// worstOf returns the worst finding that holds of a listener, nil if there is none.
func worstOf(s *model.Snapshot, l *model.Listener) *model.Finding {
	for i := range s.Findings {
		if f := &s.Findings[i]; present(f) && f.Listener == model.Some(l.Conn) {
			return f
		}
	}
	return nil
}

func explainListenerNow(s *model.Snapshot, l *model.Listener) string {
	if f := worstOf(s, l); f != nil {
		return explainFindingNow(f)
	}
	switch {
	case l.State == model.StateClosed:
		return "This listener is closed (inet_csk_listen_stop). Connections that still waited in its accept queue were reset: their clients were connected and had no server."
	case Full(l):
		return fmt.Sprintf("%d connections wait, and a backlog of %d holds %d: the queue is full. The kernel now drops every SYN (tcp_conn_request) and leaves final ACKs without effect "+
			"(tcp_v4_syn_recv_sock); the clients wait and send again. Either accept() is called too rarely, or connections come faster than this application can take them.", l.AcceptQueue.V, l.Backlog.V, l.Backlog.V+1)
	case l.AcceptQueue.V > 0 && l.AcceptsPerSec == 0:
		return fmt.Sprintf("%s in the accept queue and no accept() seen in the last second. The kernel finished the handshakes by itself (inet_csk_complete_hashdance); "+
			"the clients believe that they are served, and whatever they send waits in the sockets.", Plural(int(l.AcceptQueue.V), "connection waits", "connections wait"))
	}
	switch {
	case !l.AcceptQueue.Known:
		return explainListener
	case l.AcceptQueue.V == 0:
		return explainListener + " Now none of them waits."
	}
	return explainListener + fmt.Sprintf(" Now %s; the backlog is %s.", Plural(int(l.AcceptQueue.V), "of them waits", "of them wait"), optCount(l.Backlog))
}

func explainConnectionNow(c *model.Connection) string {
	switch c.State {
	case model.StateConnecting:
		return "connect() sent a SYN (tcp_v4_connect, tcp_connect) and waits for the SYN-ACK. If the server's queues are full, the SYN is dropped there without a word and is sent again after about a second."
	case model.StateAcceptQueue:
		return "The handshake is complete: the kernel made this socket in tcp_v4_syn_recv_sock and queued it in inet_csk_complete_hashdance. The client may already be sending. " +
			"It waits for the application to call accept()."
	case model.StateClosed:
		return explainEnd(c)
	}
	text := "The connection is in the hands of its application. Arriving bytes wait in the receive queue until it reads them (tcp_recvmsg); written bytes stay in the send queue until the peer acknowledges them."
	if c.PreExisting {
		text += " It is older than beltrace: what happened before was not seen."
	}
	return text
}

func explainEnd(c *model.Connection) string {
	switch c.Reason {
	case event.ReasonRefused:
		return "The other host answered the SYN with a RST: nobody listens on that port. tcp_reset ended the attempt and connect() returned ECONNREFUSED."
	case event.ReasonTimeout:
		return "No answer came although the kernel sent again several times (tcp_retransmit_timer); then it gave up with ETIMEDOUT (tcp_write_err)."
	case event.ReasonUnreachable:
		return "There was no way to that address: the routing lookup failed, or a router answered with an ICMP error (tcp_v4_err)."
	case event.ReasonReset:
		return "The peer sent a RST: it had closed the socket with data unread, or it never knew this connection. tcp_reset dropped what was queued."
	case event.ReasonFIN:
		return "Both sides said that they were done: each sent a FIN, and tcp_done released the socket. The side that closed first keeps a small TIME_WAIT entry for a minute."
	case event.ReasonAborted:
		if c.DurationNS.Known || c.BytesIn.Known {
			return "This side's application closed it with data unread, or with SO_LINGER at 0 (tcp_close, tcp_disconnect). The kernel sent a RST instead of a FIN and dropped what was queued; the peer's next read fails with ECONNRESET."
		}
		return "Its application closed the socket before the handshake was complete: nothing was established."
	case event.ReasonListenerEnd:
		return "It still waited in the accept queue when its listener was closed (inet_csk_listen_stop, inet_child_forget): the kernel reset it, and no application had it."
	}
	return "The socket reached the state CLOSE (tcp_set_state); the kernel keeps nothing of it."
}

// eventTexts says for each kind of event what the kernel did.
var eventTexts = map[string]string{
	event.Connect.String():       "A client called connect(): the kernel chose a local port and sent a SYN (tcp_v4_connect or tcp_v6_connect, then tcp_connect).",
	event.SYN.String():           "A SYN reached a listener and became a request in its SYN queue (tcp_conn_request, inet_csk_reqsk_queue_hash_add). The kernel answered with a SYN-ACK; no application code ran.",
	event.Established.String():   "The handshake is complete. At a server this is the final ACK (tcp_rcv_state_process), and the connection now waits in the accept queue; at a client it is the SYN-ACK (tcp_finish_connect). With TCP Fast Open the server may close before that, and has none.",
	event.Accept.String():        "accept() returned this connection to the application (inet_csk_accept took it out of the queue). The time that it waited there is the application's delay, not the network's.",
	event.Retransmit.String():    "A segment was sent again, because no acknowledgement came in time or the peer reported a gap (tcp_retransmit_skb); for a listener, its SYN-ACK (tcp_rtx_synack).",
	event.Reset.String():         "A RST was sent (tcp_send_active_reset, tcp_v4_send_reset) or received (tcp_reset): the connection ends at once and what was queued is dropped.",
	event.Close.String():         "The socket reached the state CLOSE (tcp_set_state), or its connect failed. Over loopback both sockets of a connection have a close of their own.",
	event.Listen.String():        "listen() made the socket a listener (inet_csk_listen_start); its backlog limits both queues and is capped by net.core.somaxconn.",
	event.Unlisten.String():      "The listener was closed (inet_csk_listen_stop): connections that nobody had accepted are reset.",
	event.SYNDrop.String():       "The kernel refused a SYN (tcp_conn_request) or the final ACK of a handshake (tcp_v4_syn_recv_sock), without a word to the client: it sends again after about a second. A client whose ACK was refused believes that it is connected.",
	event.AcceptEmpty.String():   "accept() found nobody in the queue (EAGAIN). Who accepts until nobody is left has one such call each time it was woken. Many more than accepts are wake-ups for nothing: a thundering herd.",
	event.AcceptError.String():   "accept() failed. With EMFILE the process, with ENFILE the whole host has no descriptor left, with ENOBUFS the kernel no memory: the connections stay in the accept queue, which fills.",
	event.NetNS.String():         "The counters of a network namespace (/proc/net/netstat) since the watch began, and the settings that bound its queues. They count for all its listeners together.",
	event.Thread.String():        "What the scheduler did with a thread so far: on a CPU, waiting for one (sched_wakeup to sched_switch), or asleep, and in which system call.",
	event.Readable.String():      "Bytes came in and nothing unread was there before: the kernel told whoever waits for this socket (sk_data_ready). Until the application reads them they stay in the receive queue. Unless each was asked for it is a look, once a second, at how much waits.",
	event.Read.String():          "A system call copied bytes out of the socket's receive queue (tcp_recvmsg).",
	event.Write.String():         "A system call copied bytes into the socket's send queue (tcp_sendmsg). That they are written does not mean that they are sent, or that the peer has them.",
	event.Turn.String():          "The bytes that one side sent until the other one spoke, with the moments at which they could be read, were read or written, were sent and were acknowledged.",
	event.Oncpu.String():         "A thread that had read a request and not answered it yet ran: a timer of its CPU looked where (perf_event, cpu-clock).",
	event.Offcpu.String():        "A thread that had read a request and not answered it yet was not on a CPU: asleep in a system call, or runnable and waiting for a CPU (sched_switch, sched_wakeup).",
	event.Exchange.String():      "A request was answered. Its time is cut into phases by what the kernel saw on the connection's socket and of the thread that served it; they add up to the total.",
	event.UringSubmit.String():   "The kernel took an entry out of a submission queue (io_submit_sqes) and tries it at once; if it would block, the ring waits for the file, or gives it to a worker thread (io-wq).",
	event.UringComplete.String(): "An operation of an io_uring is complete: its result stands in the completion queue, which the application reads in its own memory, without a call.",
	event.Ring.String():          "What the operations of an io_uring came to since it is watched, added up in the kernel (tracepoints io_uring_submit_req and io_uring_complete).",
	event.Queue.String():         "A sample of the listener's two queues, read from its socket (sk_ack_backlog and the request queue's length). Between two samples anything may have happened.",
	event.Mark.String():          "A cooperating server noted a moment of its own code; a uprobe on an empty function carried it here.",
	event.Lost.String():          "Events were produced faster than they could be taken, or a budget was used up. Counts from here on may be too small; the number lost is exact.",
	event.EpollWait.String():     "epoll_wait returned to an event loop (do_epoll_wait): with as many descriptors as were ready, at most as many as it asked for, or with none because its timeout was over. Until it calls again, whatever becomes ready waits (ep_poll_callback puts it on the ready list).",
	event.Loop.String():          "What a thread found so far in its waits for many descriptors (do_epoll_wait, do_sys_poll, core_sys_select): how many were ready at once, how long it waited, and how long it worked in between.",
	event.LoopBlocked.String():   "Between two waits the thread of an event loop slept in a system call (sched_switch). Meanwhile nobody looked at the descriptors that became ready: a loop serves all of them with one thread.",
}
