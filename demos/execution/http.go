// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"bytes"
	"errors"
	"fmt"

	"beltrace/demos/demo"
	"beltrace/internal/unix"
)

// Paths that the server answers.
const (
	pathFast = "/fast"
	pathCPU  = "/cpu"
	pathWait = "/wait"
)

// maxRequest bounds a request, in bytes: these clients send no more.
const maxRequest = 4096

var errRequest = errors.New("not a request that this server knows")

// parse takes a request from the start of in: its path, and how many bytes it has. 0: it is not complete yet. The
// requests of these clients have no body.
func parse(in []byte) (path string, size int, err error) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		if len(in) >= maxRequest {
			return "", 0, errRequest
		}
		return "", 0, nil
	}
	line, _, _ := bytes.Cut(in[:end], []byte("\r\n"))
	words := bytes.Split(line, []byte(" "))
	if len(words) != 3 || string(words[0]) != "GET" || string(words[2]) != "HTTP/1.1" {
		return "", 0, errRequest
	}
	return string(words[1]), end + len("\r\n\r\n"), nil
}

// take is parse, with marks for whoever watches: of the parsing and, after it, of the work, which ends in answer. id is the
// number of the connection.
func take(in []byte, id uint64) (path string, size int, err error) {
	if len(in) == 0 {
		return "", 0, nil
	}
	demo.Mark("parse", demo.Begin, id)
	path, size, err = parse(in)
	demo.Mark("parse", demo.End, id)
	if size > 0 {
		demo.Mark("handle", demo.Begin, id)
	}
	return path, size, err
}

// refuse answers what is no request, before the connection is closed. Whether it arrives is the client's affair.
func refuse(fd int) {
	_, _ = unix.Write(fd, []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
}

// answer is what a path is answered with, after its work is done. The connection stays open.
func answer(path string, id uint64) []byte {
	demo.Mark("handle", demo.End, id)
	status := "200 OK"
	if path != pathFast && path != pathCPU && path != pathWait {
		status = "404 Not Found"
	}
	body := "this was " + path + "\n"
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}
