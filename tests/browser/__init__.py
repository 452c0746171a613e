"""What people do with the mouse, in a real Chromium, on a site with a strict Content-Security-Policy."""
