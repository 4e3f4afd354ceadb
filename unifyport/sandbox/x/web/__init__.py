"""X's web application, played on loopback: sessions of cookies, GraphQL, the chat socket, files."""
