# Filling is for other compiled parts; Python sees nothing of it.
