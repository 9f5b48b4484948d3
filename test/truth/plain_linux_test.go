// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// plainServer answers HTTP with a thread for each connection and calls that block, as most servers did once.
type plainServer struct {
	Addr netip.AddrPort
	Down netip.AddrPort // the server that /down asks
}

const plainHead = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"

// opPlain starts one that lives as long as its agent, and returns its address. It answers when it has done what the
// path names for so many milliseconds; /late does so between the head and the body.
func opPlain(s plainServer) (netip.AddrPort, error) {
	l, err := opListen(listenArgs{Addr: s.Addr, Backlog: 16})
	if err != nil {
		return s.Addr, err
	}
	go func() {
		for {
			fd, _, err := unix.Accept4(l.FD, unix.SOCK_CLOEXEC)
			if err == nil {
				go s.talk(fd)
			} else if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return l.Local, nil
}

// talk answers one request after the other.
func (s *plainServer) talk(fd int) {
	runtime.LockOSThread()
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		_, rest, ok := bytes.Cut(buf[:n], []byte(" /"))
		path, _, _ := bytes.Cut(rest, []byte(" "))
		what, ms, _ := strings.Cut(string(path), "/")
		d, err := strconv.Atoi(ms)
		if !ok || err != nil || s.answer(fd, what, time.Duration(d)*time.Millisecond) != nil {
			return
		}
	}
}

func (s *plainServer) answer(fd int, what string, d time.Duration) error {
	if what == "late" {
		_, err := unix.Write(fd, []byte(plainHead))
		err = errors.Join(err, wholly(d, sleep))
		_, last := unix.Write(fd, []byte("done"))
		return errors.Join(err, last)
	}
	if err := s.pass(what, d); err != nil {
		return err
	}
	_, err := unix.Write(fd, []byte(plainHead+"done"))
	return err
}

// pass does what the path names.
func (s *plainServer) pass(what string, d time.Duration) error {
	switch what {
	case "down":
		a, err := newAsker(s.Down)
		if err != nil {
			return err
		}
		defer unix.Close(a.fd)
		_, err = a.ask(fmt.Sprintf("/sleep/%d", d.Milliseconds()))
		return err
	case "disk":
		f, err := os.CreateTemp("", "truth")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
		return unix.Fsync(int(f.Fd()))
	}
	pass, err := passTime(workArgs{How: what, For: d})
	if err != nil {
		return err
	}
	return pass()
}

// asker is a client with one connection and calls that block.
type asker struct {
	fd  int
	buf []byte
}

func newAsker(server netip.AddrPort) (*asker, error) {
	family, sa := toSockaddr(server)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &asker{fd, make([]byte, 4096)}, unix.Connect(fd, sa)
}

// ask asks once and reads up to the end of a body of four bytes.
func (a *asker) ask(path string) (f fetched, err error) {
	f.Path = path
	text := []byte("GET " + path + " HTTP/1.1\r\nHost: truth\r\n\r\n")
	f.Begun = testkit.Mono()
	if _, err := unix.Write(a.fd, text); err != nil {
		return f, err
	}
	f.Sent = testkit.Mono()
	for got := 0; !bytes.HasSuffix(a.buf[:got], []byte("done")); {
		n, _, err := unix.Recvfrom(a.fd, a.buf[got:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if f.Ended = testkit.Mono(); f.First == 0 {
			f.First = f.Ended
		}
		if err != nil || n == 0 {
			return f, fmt.Errorf("%s: answer ended after %d bytes: %w", path, got, err)
		}
		got += n
	}
	return f, nil
}

type askArgs struct {
	Server netip.AddrPort
	Paths  []string
}

// opAsk asks for each path in turn, on one connection.
func opAsk(a askArgs) (out []fetched, err error) {
	c, err := newAsker(a.Server)
	if err != nil {
		return nil, err
	}
	defer unix.Close(c.fd)
	for _, path := range a.Paths {
		f, err := c.ask(path)
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, nil
}

type togetherArgs struct {
	Listener socket
	N        int
	For      time.Duration
}

// opTogether reads a request of each of n connections and answers them all after a while, as an event loop does.
func opTogether(a togetherArgs) (_ bool, err error) {
	fds := make([]int, a.N)
	for i := range fds {
		if fds[i], _, err = unix.Accept4(a.Listener.FD, unix.SOCK_CLOEXEC); err != nil {
			return false, err
		}
		defer unix.Close(fds[i])
		if _, _, err = unix.Recvfrom(fds[i], make([]byte, 4096), 0); err != nil {
			return false, err
		}
	}
	err = wholly(a.For, sleep)
	for _, fd := range fds {
		_, last := unix.Write(fd, []byte(plainHead+"done"))
		err = errors.Join(err, last)
	}
	return true, err
}
