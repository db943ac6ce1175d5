"""
RFB, the protocol of VNC (RFC 6143 and the extensions that rfbproto describes): bytes in, values out, and back.

Nothing here knows a socket or a clock.
"""
