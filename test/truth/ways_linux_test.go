// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
	"beltrace/internal/uring"
)

const (
	wayChunk  = 1000 // bytes of one call
	wayRounds = 3
	largeCall = 1 << 20
)

// wayArgs name a way by which a server's socket gets or gives its bytes.
type wayArgs struct {
	Way   string
	Out   bool // the server gives; else it takes
	Large int  // how many writes of 1 MiB, instead
}

type wayDone struct {
	Cookie  uint64 // of the server's socket
	Remote  netip.AddrPort
	In, Out uint64 // what moved through it
	Without bool   // this kernel does not have the way
}

// has reports whether an event is about the server's socket.
func (d *wayDone) has(e *event.Event) bool {
	return e.Conn == d.Cookie || e.Conn >= ownNumbers && e.Remote == d.Remote
}

// opWay moves bytes between two sockets of its own.
func opWay(a wayArgs) (d wayDone, err error) {
	server, client, err := connected()
	if err != nil {
		return d, err
	}
	if d.Cookie, err = unix.GetsockoptUint64(server, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return d, err
	}
	name, err := unix.Getpeername(server)
	if err != nil {
		return d, err
	}
	d.Remote = fromSockaddr(name)
	w := wayEnds{server: server, client: client, done: &d}
	switch {
	case a.Large > 0:
		err = w.large(a.Large)
	case a.Way == "half-close":
		err = w.halfClose()
	case a.Way == "reset":
		err = w.reset()
	case a.Out:
		err = w.out(waysOut[a.Way])
	default:
		err = w.in(waysIn[a.Way])
	}
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		d.Without, err = true, nil
	}
	unix.Close(client)
	return d, errors.Join(err, unix.Close(server))
}

// connected returns the two ends of a connection over loopback.
func connected() (server, client int, err error) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(l)
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 8)); err != nil {
		return 0, 0, err
	}
	sa, err := unix.Getsockname(l)
	if err != nil {
		return 0, 0, err
	}
	if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Connect(client, sa); err != nil {
		return 0, 0, err
	}
	server, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	return server, client, err
}

type wayEnds struct {
	server, client int
	done           *wayDone
}

// in has the client write and the server take it by that way; the last byte by a plain read.
func (w *wayEnds) in(take func(fd int, buf []byte) (int, error)) error {
	buf := make([]byte, wayChunk)
	for range wayRounds {
		if _, err := unix.Write(w.client, buf); err != nil {
			return err
		}
		for got := 0; got < wayChunk; {
			n, err := take(w.server, buf[got:])
			if err != nil {
				return err
			}
			got += n
			w.done.In += uint64(n)
		}
	}
	if _, err := unix.Write(w.client, buf[:1]); err != nil {
		return err
	}
	n, err := unix.Read(w.server, buf)
	w.done.In += uint64(max(n, 0))
	return err
}

func (w *wayEnds) out(give func(fd int, buf []byte) (int, error)) error {
	buf := make([]byte, wayChunk)
	for range wayRounds {
		for left := buf; len(left) > 0; {
			n, err := give(w.server, left)
			if err != nil {
				return err
			}
			left = left[n:]
			w.done.Out += uint64(n)
		}
		for got := 0; got < wayChunk; {
			n, err := unix.Read(w.client, buf)
			if err != nil || n == 0 {
				return errors.Join(err, errors.New("the connection has ended"))
			}
			got += n
		}
	}
	return nil
}

// large writes as fast as another thread reads.
func (w *wayEnds) large(calls int) error {
	read := make(chan error)
	go func() {
		buf := make([]byte, largeCall)
		for {
			if n, err := unix.Read(w.client, buf); n <= 0 {
				read <- err
				return
			}
		}
	}()
	buf := make([]byte, largeCall)
	for range calls {
		for left := buf; len(left) > 0; {
			n, err := unix.Write(w.server, left)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			left = left[max(n, 0):]
			w.done.Out += uint64(max(n, 0))
		}
	}
	unix.Shutdown(w.server, unix.SHUT_WR)
	return <-read
}

// halfClose: the client ends its direction, which is no byte, and gets its answer all the same.
func (w *wayEnds) halfClose() error {
	buf := make([]byte, wayChunk)
	if _, err := unix.Write(w.client, buf); err != nil {
		return err
	}
	unix.Shutdown(w.client, unix.SHUT_WR)
	for {
		n, err := unix.Read(w.server, buf)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		w.done.In += uint64(n)
	}
	n, err := unix.Write(w.server, buf)
	w.done.Out += uint64(max(n, 0))
	return err
}

// reset: the server reads a half of what came before the client goes.
func (w *wayEnds) reset() error {
	buf := make([]byte, wayChunk)
	if _, err := unix.Write(w.client, buf); err != nil {
		return err
	}
	n, err := unix.Read(w.server, buf[:wayChunk/2])
	w.done.In += uint64(max(n, 0))
	return errors.Join(err, unix.SetsockoptLinger(w.client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
}

var waysIn = map[string]func(int, []byte) (int, error){
	"read":     unix.Read,
	"recvfrom": func(fd int, b []byte) (int, error) { n, _, err := unix.Recvfrom(fd, b, 0); return n, err },
	"recvmsg":  func(fd int, b []byte) (int, error) { n, _, _, _, err := unix.Recvmsg(fd, b, nil, 0); return n, err },
	"readv":    func(fd int, b []byte) (int, error) { return unix.Readv(fd, [][]byte{b[:1], b[1:]}) },
	"recvmmsg": func(fd int, b []byte) (int, error) { return multiple(unix.SYS_RECVMMSG, fd, b, unix.MSG_WAITFORONE) },
	"peek": func(fd int, b []byte) (int, error) {
		if _, _, err := unix.Recvfrom(fd, b, unix.MSG_PEEK); err != nil {
			return 0, err
		}
		return unix.Read(fd, b)
	},
	"splice":         func(fd int, b []byte) (int, error) { return through(fd, -1, b) },
	"io_uring_enter": func(fd int, b []byte) (int, error) { return byRing(func(s *uring.SQE) { s.Recv(fd, b) }) },
}

var waysOut = map[string]func(int, []byte) (int, error){
	"write":    unix.Write,
	"sendto":   func(fd int, b []byte) (int, error) { return len(b), unix.Send(fd, b, 0) },
	"sendmsg":  func(fd int, b []byte) (int, error) { return unix.SendmsgN(fd, b, nil, nil, 0) },
	"writev":   func(fd int, b []byte) (int, error) { return unix.Writev(fd, [][]byte{b[:1], b[1:]}) },
	"sendmmsg": func(fd int, b []byte) (int, error) { return multiple(unix.SYS_SENDMMSG, fd, b, 0) },
	"sendfile": func(fd int, b []byte) (int, error) {
		file, err := unix.MemfdCreate("file", unix.MFD_CLOEXEC)
		if err != nil {
			return 0, err
		}
		defer unix.Close(file)
		if _, err := unix.Pwrite(file, b, 0); err != nil {
			return 0, err
		}
		return unix.Sendfile(fd, file, nil, len(b))
	},
	"splice": func(fd int, b []byte) (int, error) { return through(-1, fd, b) },
	"zerocopy": func(fd int, b []byte) (int, error) {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1); err != nil {
			return 0, err
		}
		return unix.SendmsgN(fd, b, nil, nil, unix.MSG_ZEROCOPY)
	},
	"io_uring_enter": func(fd int, b []byte) (int, error) { return byRing(func(s *uring.SQE) { s.Send(fd, b, 0) }) },
}

// multiple calls recvmmsg or sendmmsg with the buffer in two messages.
func multiple(nr uintptr, fd int, b []byte, flags uintptr) (int, error) {
	type message struct {
		unix.Msghdr
		n uint32
		_ [4]byte
	}
	half := len(b) / 2
	parts := [][]byte{b[:half], b[half:]}
	if half == 0 {
		parts = parts[1:]
	}
	all := make([]message, len(parts))
	for i, p := range parts {
		v := &unix.Iovec{Base: &p[0]}
		v.SetLen(len(p))
		all[i].Iov, all[i].Iovlen = v, 1
	}
	n, _, errno := unix.Syscall6(nr, uintptr(fd), uintptr(unsafe.Pointer(&all[0])), uintptr(len(all)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	sum := 0
	for _, m := range all[:n] {
		sum += int(m.n)
	}
	return sum, nil
}

// through moves bytes from or to a socket through a pipe.
func through(from, to int, b []byte) (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if from >= 0 {
		n, err := unix.Splice(from, nil, p[1], nil, len(b), 0)
		return int(n), err
	}
	if _, err := unix.Write(p[1], b); err != nil {
		return 0, err
	}
	n, err := unix.Splice(p[0], nil, to, nil, len(b), 0)
	return int(n), err
}

// byRing makes one operation by io_uring.
func byRing(fill func(*uring.SQE)) (int, error) {
	r, err := uring.Open(4, uring.Options{})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	fill(r.Next())
	if _, err := r.Submit(1); err != nil {
		return 0, err
	}
	for c := range r.Reap() {
		return int(c.Res), nil
	}
	return 0, errors.New("no completion")
}

// TestWays: however bytes get in and out, by whatever call and thread, their positions tell each of them once.
func TestWays(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path(), Moves: []event.Kind{event.Read, event.Write, event.Readable}})
	large := 100
	if testkit.Guest() {
		large = 8
	}
	all := []wayArgs{{Way: "half-close"}, {Way: "reset"}, {Way: "large", Large: large}}
	for way := range waysIn {
		all = append(all, wayArgs{Way: way})
	}
	for way := range waysOut {
		all = append(all, wayArgs{Way: way, Out: true})
	}
	for _, a := range all {
		d := do[wayDone](p.server, "way", a)
		if d.Without {
			t.Logf("%s: not on this kernel", a.Way)
			continue
		}
		w.until("the end of its socket", func(e *event.Event) bool { return e.Kind == event.Close && d.has(e) })
		if !w.knowsTurns() {
			d.In, d.Out = 0, 0
		}
		w.checkMoves(a, d, event.Read, d.In)
		w.checkMoves(a, d, event.Write, d.Out)
	}
	w.lossless()
}

// checkMoves compares the calls of one kind on a socket with how many bytes they moved.
func (w *watch) checkMoves(a wayArgs, d wayDone, kind event.Kind, want uint64) {
	w.t.Helper()
	way := a.Way
	var pos uint64
	var calls []string
	for _, e := range w.seen() {
		if e.Kind != kind || !d.has(&e) {
			continue
		}
		if e.Turn.Pos != pos && !w.leavesOut() {
			w.wrong("%s: a %s at %d, want %d", way, kind, e.Turn.Pos, pos)
		}
		pos = e.Turn.Pos + e.Bytes
		if calls = append(calls, e.Turn.Call); e.Known(event.FieldLatencyNS) && e.Turn.LatencyNS <= 0 {
			w.wrong("%s: latency of a %s is %d", way, kind, e.Turn.LatencyNS)
		}
	}
	if pos != want && !w.leavesOut() {
		w.wrong("%s: %d bytes by %s, want %d (calls %v)", way, pos, kind, want, calls)
	}
	if a.Out != (kind == event.Write) || waysIn[way] == nil && waysOut[way] == nil || !w.seesHeads() || !w.knowsTurns() || w.leavesOut() || want == 0 {
		return
	}
	name := map[string]string{"peek": "read", "zerocopy": "sendmsg"}[way]
	if name == "" {
		name = way
	}
	if way == "splice" && kind == event.Read && !w.knowsSplice() {
		name = "" // nothing tells of the call
	}
	// A ring's operation is named where it is known: io_uring:recv.
	if !slices.ContainsFunc(calls, func(c string) bool { return c == name || name == "io_uring_enter" && strings.HasPrefix(c, "io_uring:") }) {
		w.wrong("%s: a %s by %q, want %q", way, kind, calls, name)
	}
}

// knowsSplice reports whether a hook sees bytes that leave a socket by splice.
func (w *watch) knowsSplice() bool {
	for _, p := range w.session.Info().Probes {
		if p.Probe.Name == probes.Splice {
			return p.Hook != nil && p.Hook.How == probes.Fentry
		}
	}
	return false
}
