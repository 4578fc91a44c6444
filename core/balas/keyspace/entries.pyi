# Entries are for other compiled parts; Python sees nothing of them.
