// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"beltrace/internal/unix"
)

// The recorded programs, by the name that each has as a process, and where the servers listen.
var roles = map[string]func() error{
	"web": web, "cache": cache, "client": client,
	"api":  func() error { return oneByOne(apiPort, 8, 150*time.Millisecond) }, // too slow for its clients
	"auth": func() error { return oneByOne(authPort, 128, 20*time.Millisecond) },
}

const (
	webAddr   = "127.0.0.1:8080"
	cacheAddr = "[::1]:6379"
	apiPort   = 9000
	authPort  = 7000
)

func play(role string) error {
	f, ok := roles[role]
	if !ok {
		return fmt.Errorf("no role %q", role)
	}
	return f()
}

// web is a healthy HTTP server: a goroutine for each connection.
func web() error {
	page := make([]byte, 2<<10)
	handle := func(w http.ResponseWriter, _ *http.Request) { w.Write(page) }
	return http.ListenAndServe(webAddr, http.HandlerFunc(handle))
}

// oneByOne is a server with a single thread, which works for a while on each connection before it accepts the next.
func oneByOne(port, backlog int, work time.Duration) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("reuse the address: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("bind port %d: %w", port, err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	runtime.LockOSThread() // one thread, so that one acceptor is seen
	buf := make([]byte, 512)
	for {
		conn, _, err := unix.Accept(fd)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		if n, err := unix.Read(conn, buf); err == nil && n > 0 {
			time.Sleep(work)
			unix.Write(conn, []byte("done\n")) // the client may have gone
		}
		unix.Close(conn)
	}
}

// cache is a server that its clients stay connected to.
func cache() error {
	l, err := net.Listen("tcp", cacheAddr)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			io.Copy(c, c) // until the client goes
		}()
	}
}

// client talks to all of them until it is killed: a new connection for each request to web, api and auth, six that stay
// to cache.
func client() error {
	var wg sync.WaitGroup
	noKeepAlive := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	wg.Go(func() {
		for range time.Tick(120 * time.Millisecond) {
			if r, err := noKeepAlive.Get("http://" + webAddr); err == nil {
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
		}
	})
	wg.Go(func() { burst(apiPort, 1, 100*time.Millisecond) })
	wg.Go(func() { burst(authPort, 6, 200*time.Millisecond) })
	for range 6 {
		wg.Go(func() { stay(cacheAddr) })
	}
	wg.Wait()
	return nil
}

// burst makes n requests at once, again and again, and does not wait for the answers.
func burst(port, n int, every time.Duration) {
	for range time.Tick(every) {
		for range n {
			go ask(fmt.Sprintf("127.0.0.1:%d", port), 6*time.Second)
		}
	}
}

// ask makes one request on a connection of its own, and gives up after a while as clients do.
func ask(addr string, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	c.Write([]byte("work\n"))
	io.Copy(io.Discard, c)
}

// stay keeps a connection and uses it now and then.
func stay(addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer c.Close()
	buf := make([]byte, 100)
	for range time.Tick(500 * time.Millisecond) {
		if _, err := c.Write(buf); err != nil {
			return
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
	}
}
