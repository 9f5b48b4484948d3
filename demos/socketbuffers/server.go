// SPDX-License-Identifier: Apache-2.0

package socketbuffers

import (
	"context"
	"net/http"
	"strconv"

	"beltrace/demos/demo"
)

// serve is an ordinary net/http server with a large file and a small one.
func serve(ctx context.Context, env *demo.Env) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathLarge, func(w http.ResponseWriter, _ *http.Request) { write(w, Size) })
	mux.HandleFunc("GET "+pathSmall, func(w http.ResponseWriter, _ *http.Request) { write(w, 100) })
	return demo.ServeHTTP(ctx, env, mux, nil)
}

// write answers with so many bytes, 32 kB a call.
func write(w http.ResponseWriter, size int) {
	demo.Bare(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(size))
	for block := make([]byte, 32<<10); size > 0; {
		n, err := w.Write(block[:min(size, len(block))])
		if err != nil {
			return // the client is gone
		}
		size -= n
	}
}
