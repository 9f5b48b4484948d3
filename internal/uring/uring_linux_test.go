// SPDX-License-Identifier: Apache-2.0

package uring_test

import (
	"errors"
	"net"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/internal/uring"
)

func open(t *testing.T, entries uint32, o uring.Options) *uring.Ring {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	r, err := uring.Open(entries, o)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("this kernel has no io_uring for us: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// turn submits what was filled, waits for n completions and returns them.
func turn(t *testing.T, r *uring.Ring, n uint32) (got []uring.CQE) {
	t.Helper()
	if _, err := r.Submit(n); err != nil {
		t.Fatal(err)
	}
	for c := range r.Reap() {
		got = append(got, c)
	}
	if len(got) != int(n) {
		t.Fatalf("%d completions, want %d: %v", len(got), n, got)
	}
	return got
}

func TestNops(t *testing.T) {
	for _, o := range []uring.Options{{}, {CQEntries: 64}, {Flags: uring.SQPoll}} {
		r := open(t, 8, o)
		for round := range uint64(5) { // the queues wrap around
			for i := range uint64(8) {
				r.Next().Nop().UserData = round<<8 | i
			}
			if r.Next() != nil {
				t.Fatal("a ninth SQE in a queue of eight")
			}
			for i, c := range turn(t, r, 8) {
				if c.Res != 0 || c.UserData != round<<8|uint64(i) {
					t.Fatalf("round %d, completion %d: %+v", round, i, c)
				}
			}
		}
	}
}

// TestServe serves one connection: accept, receive into provided buffers, send, close.
func TestServe(t *testing.T) {
	r := open(t, 8, uring.Options{})
	b, err := r.Buffers(1, 4, 64)
	if errors.Is(err, unix.EINVAL) {
		t.Skip("this kernel has no rings of buffers (5.19)")
	}
	if err != nil {
		t.Fatal(err)
	}
	fd, addr := listen(t)
	r.Next().AcceptMultishot(fd, unix.SOCK_CLOEXEC)
	client, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted := turn(t, r, 1)[0]
	if !accepted.More() || accepted.Res < 0 {
		t.Fatalf("accept: %+v", accepted)
	}
	conn := int(accepted.Res)
	r.Next().RecvMultishot(conn, b)
	for range 10 { // more than there are buffers
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		c := turn(t, r, 1)[0]
		n, ok := c.Buffer()
		if !ok || !c.More() || string(b.Bytes(n, int(c.Res))) != "hello" {
			t.Fatalf("receive: %+v", c)
		}
		b.Return(n)
	}
	answer, err := uring.Memory(4096)
	if err != nil {
		t.Fatal(err)
	}
	r.Next().Send(conn, answer[:copy(answer, "bye")], unix.MSG_NOSIGNAL)
	if c := turn(t, r, 1)[0]; c.Res != 3 {
		t.Fatalf("send: %+v", c)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if c := turn(t, r, 1)[0]; c.Res > 0 || c.More() {
		t.Fatalf("the end of the stream: %+v", c)
	}
	r.Next().Close(conn)
	if c := turn(t, r, 1)[0]; c.Res != 0 {
		t.Fatalf("close: %+v", c)
	}
}

// TestDirect accepts into a slot and reads from it, without any descriptor.
func TestDirect(t *testing.T) {
	r := open(t, 8, uring.Options{})
	if err := r.RegisterFiles(4); err != nil {
		t.Fatal(err)
	}
	fd, addr := listen(t)
	client, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	r.Next().AcceptDirect(fd, 2)
	if c := turn(t, r, 1)[0]; c.Res != 0 {
		if errno := unix.Errno(-c.Res); errno == unix.EINVAL {
			t.Skip("this kernel has no accept into slots (5.15)")
		}
		t.Fatalf("accept: %+v", c)
	}
	buf, err := uring.Memory(4096)
	if err != nil {
		t.Fatal(err)
	}
	r.Next().Recv(2, buf).Flags = uring.FixedFile
	if c := turn(t, r, 1)[0]; c.Res != 2 || string(buf[:2]) != "hi" {
		t.Fatalf("receive: %+v %q", c, buf[:2])
	}
}

// listen returns a listening descriptor and its address.
func listen(t *testing.T) (int, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd()), l.Addr().String()
}
