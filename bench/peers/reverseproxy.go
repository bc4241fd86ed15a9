// Go's own reverse proxy, as the divisi of 2016 used it: reverseproxy LISTEN LISTEN_H2C LISTEN_TLS CERTIFICATE KEY ORIGIN.
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	listen, listenH2c, listenTLS, certificate, key := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	origin := &url.URL{Scheme: "http", Host: os.Args[6]}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// As many as the largest case has clients: Go's default of 2 would measure connecting.
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1024
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(origin)
			request.Out.Host = request.In.Host
			request.SetXForwarded()
		},
	}
	h2c := &http.Server{Addr: listenH2c, Handler: proxy, Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	go func() { log.Fatal(h2c.ListenAndServe()) }()
	// Offers h2 and http/1.1 by itself.
	go func() { log.Fatal(http.ListenAndServeTLS(listenTLS, certificate, key, proxy)) }()
	log.Fatal(http.ListenAndServe(listen, proxy))
}
