// Package req stands for https://github.com/imroc/req, whose fork the module proxy does not have: plain HTTP,
// without the looks of a browser.
package req

import "net/http"

type Client struct{}

func NewClient() *Client { return &Client{} }

func (c *Client) ImpersonateChrome() *Client { return c }

func (c *Client) DisableHTTP3() *Client { return c }

func (c *Client) GetTransport() http.RoundTripper { return http.DefaultTransport }
